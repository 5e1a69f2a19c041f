"""From a trained network to something that others use: export, quantise, serve, describe, watch. Lesson 20.

Nothing here is imported before it is used: ``onnxruntime`` serves without torch, and ``gradio`` is an extra.

>>> from course_utils.product.about import About
>>> About(classes=("good", "bad"), size=96, channels=1, mean=0.5, std=0.5).classes
('good', 'bad')
"""
