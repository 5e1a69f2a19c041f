"""Exercises of lesson 05: what each layer puts out and costs, the input, dead units, softmax."""

import numpy as np

from course_utils.exercises.bank import Case, Exercise, Mistake


def softmax(logits, temperature=1.0):
    z = logits / temperature
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def prepare(pictures, mean, std):
    mean, std = np.float32(mean), np.float32(std)
    x = (pictures.astype(np.float32) / 255 - mean) / std
    return x.transpose(0, 3, 1, 2)


def dead_channels(z):
    return int((z.max(axis=(0, 2, 3)) <= 0).sum())


def _overflowing(z, temperature=1.0):
    with np.errstate(all="ignore"):
        powers = np.exp(z / temperature)
        return powers / powers.sum(axis=1, keepdims=True)


def _one_maximum(z, temperature=1.0):
    with np.errstate(all="ignore"):
        return _overflowing(z - z.max(), temperature)


def _lined_up(highest, keepdims=False):
    """Softmax whose row sums, or what ``highest`` takes off, met the columns: an error unless N = K."""

    def wrong(z, temperature=1.0):
        with np.errstate(all="ignore"):
            powers = np.exp(z / temperature - highest(z / temperature))
            return powers / powers.sum(axis=1, keepdims=keepdims)

    return wrong


def _small(mistake):
    """The mistake where logits are small: so it is told whether or not the answer survives large ones."""

    def wrong(z, temperature=1.0):
        if np.abs(z).max() > 100:
            raise ValueError("large logits")
        return mistake(z, temperature)

    return wrong


def _prepared(x, mean, std):
    return prepare(x, mean, std)


_LOGITS = np.array([[1.0, 2.0, 4.0], [0.5, -1.0, 3.0]])
_PICTURES = np.random.default_rng(5).integers(0, 256, (2, 3, 5, 3), dtype=np.uint8)
_SQUARE = np.random.default_rng(6).integers(0, 256, (3, 3, 3, 3), dtype=np.uint8)
_MEAN, _STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def _maps(seed, shift):
    """Whole numbers (4, 5, 3, 2), moved channel by channel."""
    z = np.random.default_rng(seed).integers(-9, 10, (4, 5, 3, 2)).astype(float)
    return z + np.asarray(shift, float)[:, None, None]


def _one_alive(z):
    """The second channel is positive in one place of one picture, the third is exactly zero at best."""
    z = z.copy()
    z[:, 1] = -3
    z[3, 1, 2, 1] = 2
    z[:, 2] = -np.abs(z[:, 2])
    z[2, 2, 0, 0] = 0
    return z


def _one_silent(z):
    """The second picture is silent in every channel; the fourth channel is dead, the others are not."""
    z = z.copy()
    z[1] = -np.abs(z[1]) - 1
    z[:, 3] = -2
    z[3, 4] = np.abs(z[3, 4])
    return z


def _four_dead_of_nine():
    """Silent on all pictures: 0 (twice), -2, below 0. The others: below 0 but in one place, or on two pictures only."""
    z = np.random.default_rng(0).integers(1, 9, (3, 9, 2, 2)).astype(float)
    z[:, :2], z[:, 2] = 0, -2
    z[:, 3:6] *= -1
    z[2, 4, 1, 1] = z[1, 5, 0, 0] = 3
    z[:2, 6] *= -1
    z[1:, 7] *= -1
    return z


_Z = [
    _one_alive(_maps(1, [0, 0, 0, -20, -20])),
    _maps(2, [-20, 0, 5, -20, -20]),
    _one_alive(_maps(3, [-20, 0, 0, -3, 0])),
    _one_silent(_maps(9, [0] * 5)),
    _four_dead_of_nine(),
]

EXERCISES = [
    Exercise(
        id="05.1",
        title="Softmax with a temperature",
        reference=softmax,
        cases=[
            Case(_LOGITS),
            Case(_LOGITS, 0.5),
            Case(np.array([[2.0, 0.0], [1.0, 1.0], [-1.0, 3.0]]), 4.0),
            Case(np.array([[1000.0, 1001.0], [-1000.0, -1002.0]])),
            Case(_LOGITS, temperature=2.0),
            Case(np.array([[1000.0, 0.0], [0.0, -1000.0]]), 0.5),
        ],
        mistakes=[
            Mistake(
                _one_maximum,
                "You subtract the largest logit of the whole batch: the rows far below it become 0 / 0. Each row needs its own maximum.",
            ),
            Mistake(
                _overflowing,
                "Right, until the logits are large: exp(1000) overflows, and infinity divided by infinity is NaN. Subtract the row's largest logit first; only differences matter.",
            ),
            Mistake(
                _small(lambda z, temperature=1.0: softmax((z / temperature).T).T),
                "You normalise over the batch: each column sums to 1. A picture's own K probabilities must sum to 1, so sum along axis 1.",
            ),
            Mistake(
                _small(lambda z, temperature=1.0: softmax((z / temperature).reshape(1, -1)).reshape(z.shape)),
                "The whole batch together sums to 1. Every row needs a sum of its own: `axis=1, keepdims=True`.",
            ),
            Mistake(
                _small(lambda z, temperature=1.0: softmax(z)),
                "The temperature changes nothing here: it is not used, or it cancels. It divides the logits before the exponential.",
            ),
            Mistake(
                _small(lambda z, temperature=1.0: softmax(z * temperature)),
                "You multiply by the temperature. It divides: a high temperature makes differences small.",
            ),
            Mistake(
                _small(lambda z, temperature=1.0: softmax(z) / temperature),
                "You divide the probabilities. Then they no longer sum to 1; divide the logits.",
            ),
            Mistake(
                _small(lambda z, temperature=1.0: softmax(softmax(z / temperature))),
                "Softmax twice. The second one squeezes the probabilities together: no value can be far above the others.",
            ),
            Mistake(
                _small(lambda z, temperature=1.0: np.log(np.maximum(softmax(z / temperature), 1e-300))),
                "These are logarithms of probabilities. Leave the last logarithm out.",
            ),
            Mistake(
                _small(
                    lambda z, temperature=1.0: z / temperature / (z / temperature).sum(axis=1, keepdims=True)
                ),
                "The exponential is missing. Without it, negative logits give negative probabilities.",
            ),
            Mistake(
                _small(
                    lambda z, temperature=1.0: np.exp(
                        z / temperature - (z / temperature).max(axis=1, keepdims=True)
                    )
                ),
                "The largest value is 1 in every row, but the rows do not sum to 1. Divide by the row's sum.",
            ),
            Mistake(
                _lined_up(lambda z: z.max(axis=1, keepdims=True)),
                "A sum over axis 1 has the shape (N,), and NumPy lines it up with the columns. `keepdims=True` keeps it a column.",
            ),
            Mistake(
                _lined_up(lambda z: 0),
                "Two things. A sum over axis 1 has the shape (N,) and meets the columns: `keepdims=True` keeps it a column. And exp(1000) overflows: subtract the row's largest logit first.",
            ),
            Mistake(
                _lined_up(lambda z: z.max(axis=1)),
                "Maximum and sum over axis 1 both have the shape (N,), and NumPy lines them up with the columns. Give both `keepdims=True`.",
            ),
            Mistake(
                _lined_up(lambda z: z.max(axis=1), keepdims=True),
                "A maximum over axis 1 has the shape (N,), and NumPy takes it off the columns, not the rows. Give it `keepdims=True`, as you did with the sum.",
            ),
        ],
        hints=(
            "Three steps: divide by the temperature, exponential, divide by a sum. Which sum?",
            "The sum runs over the classes of one picture: `sum(axis=1, keepdims=True)`. Against overflow, subtract each row's maximum first.",
            "`z = logits / temperature`, then `np.exp(z - z.max(axis=1, keepdims=True))`, then divide by its row sums.",
        ),
    ),
    Exercise(
        id="05.2",
        title="Predict the shapes",
        reference=[(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (400,), (120,)],
        name="output_shapes",
        mistakes=[
            Mistake(
                [(6, 24, 24), (6, 12, 12), (16, 8, 8), (16, 4, 4), (256,), (120,)],
                "You left out the padding of conv1: 2 pixels on each side make up for its kernel of 5, so 28 stays 28.",
            ),
            Mistake(
                [(6, 28, 28), (6, 14, 14), (16, 14, 14), (16, 7, 7), (784,), (120,)],
                "conv2 has no padding: a kernel of 5 fits at 14 - 5 + 1 places.",
            ),
            Mistake(
                [(64, 6, 28, 28), (64, 6, 14, 14), (64, 16, 10, 10), (64, 16, 5, 5), (64, 400), (64, 120)],
                "All right, with the batch in front. Asked for are the shapes of one picture, without it.",
            ),
            Mistake(
                [(28, 28, 6), (14, 14, 6), (10, 10, 16), (5, 5, 16), (400,), (120,)],
                "The numbers are right, their order is NHWC. PyTorch puts the channels first.",
            ),
            Mistake(
                [(6, 26, 26), (6, 13, 13), (16, 9, 9), (16, 4, 4), (256,), (120,)],
                "Padding of 2 means 2 on *each* side: 28 + 2 + 2 - 5 + 1.",
            ),
            Mistake(
                [(6, 28, 28), (6, 27, 27), (16, 23, 23), (16, 22, 22), (7744,), (120,)],
                "A pooling of 2 moves by 2, unless it is told otherwise. It halves each side.",
            ),
            Mistake(
                [(6, 28, 28), (6, 14, 14), (96, 10, 10), (96, 5, 5), (2400,), (120,)],
                "conv2 does not make 16 maps of each of the 6. Each of its 16 kernels sums over all 6: 16 maps in all.",
            ),
            Mistake(
                [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (16, 25), (120,)],
                "flatten lays all of it into one row, channels included.",
            ),
            Mistake(
                [(6, 28, 28), (6, 14, 14), (16, 9, 9), (16, 4, 4), (256,), (120,)],
                "Off by one in conv2: along n pixels a kernel of k fits n - k + 1 times.",
            ),
            Mistake(
                [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), 400, 120],
                "The numbers are right. (400) is the number 400; a tuple of one needs a comma: (400,).",
            ),
        ],
        hints=(
            "One rule does it: with padding p on each side, (n + 2p - k) / stride + 1 along each side.",
            "The channels are the number of kernels. A pooling of 2 has stride 2 and leaves the channels alone.",
            "conv1 keeps 28, pool1 halves it to 14, conv2 makes 14 - 5 + 1 of it.",
        ),
    ),
    Exercise(
        id="05.3",
        title="Predict the parameters",
        reference=[156, 2416, 48120, 10164, 850],
        name="layer_parameters",
        mistakes=[
            Mistake(
                [150, 2400, 48000, 10080, 840], "The biases are missing: one for each output channel or unit."
            ),
            Mistake(
                [156, 416, 48120, 10164, 850],
                "conv2's kernels read all 6 maps: each has 6 tables of 5×5, not one.",
            ),
            Mistake(
                [151, 2401, 48001, 10081, 841],
                "One bias for a whole layer is too few: each output channel, each unit has its own.",
            ),
            Mistake(
                [151, 2406, 48400, 10200, 924],
                "The biases belong to the outputs: as many as there are output channels or units, not inputs.",
            ),
            Mistake(
                [156, 2496, 48120, 10164, 850],
                "A bias for each of a kernel's 6 tables is too many: the six sums become one number, and one bias is added to it.",
            ),
            Mistake(
                [36, 496, 48120, 10164, 850],
                "A kernel of size 5 has 5×5 numbers, not 5.",
            ),
            Mistake(
                [156, 2416, 2040, 10164, 850],
                "fc1 does not read 16 numbers but all of 16 maps of 5×5: 400.",
            ),
            Mistake(
                [122304, 241600, 48120, 10164, 850],
                "A kernel's numbers are used at every place, but they are learned only once.",
            ),
            Mistake(
                [156, 2416, 48000, 10080, 840],
                "The biases of fc1, fc2 and fc3 are missing: each of their units has one.",
            ),
            Mistake(
                [156, 2416, 30840, 10164, 850],
                "fc1 reads 400 numbers, not 256: conv1 is padded and keeps 28, so 16 maps of 5×5 are left.",
            ),
        ],
        hints=(
            "Count the numbers that make one output channel or unit, add its bias, then multiply by how many there are.",
            "A convolution's kernel has C_in tables of 5×5; a unit of a fully connected layer has one number for each input.",
            "conv1: 6 · (1 · 25 + 1). fc1: 120 · (400 + 1).",
        ),
    ),
    Exercise(
        id="05.4",
        title="Predict the FLOPs",
        reference=[235200, 480000, 96000, 20160, 1680],
        name="layer_flops",
        mistakes=[
            Mistake(
                [117600, 240000, 48000, 10080, 840],
                "You counted multiply-adds. Each is a product and an addition: torch counts 2. (Papers often mean multiply-adds when they write FLOPs.)",
            ),
            Mistake(
                [15052800, 30720000, 6144000, 1290240, 107520],
                "That is a batch of 64. Asked for is one picture.",
            ),
            Mistake(
                [239904, 481600, 96120, 20244, 1690],
                "You counted the biases. torch counts only the products and their sums.",
            ),
            Mistake(
                [244608, 483200, 96240, 20328, 1700],
                "You doubled the counts of 05.3, biases included. torch counts 2 for each product and none for a bias.",
            ),
            Mistake(
                [300, 4800, 96000, 20160, 1680],
                "That is the work for one place. A convolution does it at every place of its output.",
            ),
            Mistake(
                [235200, 80000, 96000, 20160, 1680],
                "Each value of conv2 is a sum over all 6 maps: 6 · 25 products.",
            ),
            Mistake(
                [235200, 940800, 96000, 20160, 1680],
                "You multiplied by the places of the input. The kernel is laid down once for each place of the *output*: 10 × 10 for conv2.",
            ),
            Mistake(
                [58800, 120000, 96000, 20160, 1680],
                "The places after pooling are too few: the convolution computes every value, and pooling throws most of them away.",
            ),
            Mistake(
                [47040, 96000, 96000, 20160, 1680],
                "A kernel of size 5 has 5×5 numbers, not 5.",
            ),
            Mistake(
                [39200, 30000, 96000, 20160, 1680],
                "That is one output channel. conv1 computes 6 maps and conv2 computes 16.",
            ),
            Mistake(
                [122304, 241600, 48120, 10164, 850],
                "Those are parameters times places: multiply-adds with the biases. torch counts 2 for each product and none for a bias.",
            ),
        ],
        hints=(
            "How many values does the layer put out, and how many products make one of them?",
            "FLOPs = 2 · (values in the output) · (numbers in one kernel, without its bias).",
            "conv1 puts out 6 · 28 · 28 values of 25 products each.",
        ),
    ),
    Exercise(
        id="05.5",
        title="Predict the memory",
        reference=[1204224, 1204224, 301056, 409600, 409600, 102400, 0],
        name="output_bytes",
        mistakes=[
            Mistake(
                [1204224, 1204224, 301056, 409600, 409600, 102400, 102400],
                "All right but flatten: it gives a *view*, the same memory read as one row. Nothing new is stored.",
            ),
            Mistake(
                [1204224, 0, 301056, 409600, 0, 102400, 0],
                "The activations need memory too: nn.ReLU() writes a new tensor, unless it is built with inplace=True.",
            ),
            Mistake(
                [1204224, 0, 301056, 409600, 0, 102400, 102400],
                "Two slips. nn.ReLU() writes a new tensor, unless it is built with inplace=True; and flatten writes none, it is a view.",
            ),
            Mistake([18816, 18816, 4704, 6400, 6400, 1600, 0], "That is for one picture. The batch has 64."),
            Mistake(
                [18816, 18816, 4704, 6400, 6400, 1600, 1600],
                "That is for one picture, and the batch has 64. And flatten is a view: nothing new is stored.",
            ),
            Mistake(
                [301056, 301056, 75264, 102400, 102400, 25600, 0],
                "That counts values. A float32 takes 4 bytes.",
            ),
            Mistake(
                [301056, 301056, 75264, 102400, 102400, 25600, 25600],
                "That counts values, and a float32 takes 4 bytes. And flatten is a view: nothing new is stored.",
            ),
            Mistake(
                [2408448, 2408448, 602112, 819200, 819200, 204800, 0],
                "8 bytes is a float64. A float32 takes 4.",
            ),
            Mistake(
                [9633792, 9633792, 2408448, 3276800, 3276800, 819200, 0],
                "A float32 has 32 bits; asked for are bytes.",
            ),
            Mistake(
                [624, 0, 0, 9664, 0, 0, 0],
                "That is the memory of the weights. Asked for is that of the outputs, which grows with the picture and the batch.",
            ),
        ],
        hints=(
            "Take the shapes of 05.2. Which three of the seven layers put out as many values as they read?",
            "Values of the output · 64 pictures · 4 bytes. One of the seven layers writes nothing new.",
            "conv1: 6 · 28 · 28 · 64 · 4. An activation writes as much as it reads; flatten is a view.",
        ),
    ),
    Exercise(
        id="05.6",
        title="Predict the receptive fields",
        reference=[5, 6, 14, 16],
        name="receptive_fields",
        mistakes=[
            Mistake(
                [5, 6, 10, 11],
                "You forgot the jump: after pool1 neighbours are 2 pixels apart, so conv2 adds (5 - 1) · 2.",
            ),
            Mistake(
                [5, 7, 15, 19],
                "pool1's own stride counts only for the layers after it: pool1 itself adds (2 - 1) · 1.",
            ),
            Mistake(
                [5, 6, 14, 15],
                "pool2 takes 2 values of conv2, and these lie 2 pixels apart: it adds (2 - 1) · 2.",
            ),
            Mistake(
                [5, 5, 13, 13],
                "Pooling has a window too: 2 values, so it adds one jump.",
            ),
            Mistake(
                [5, 5, 9, 9],
                "Pooling counts twice: its window adds one jump, and its stride doubles the jump of all that follows.",
            ),
            Mistake(
                [5, 10, 50, 100],
                "Windows do not multiply. A layer adds (K - 1) times the jump.",
            ),
            Mistake(
                [5, 7, 17, 21],
                "Each layer adds (K - 1) · jump, not K · jump: a kernel of K already gives one value where it stands.",
            ),
            Mistake(
                [5, 2, 5, 2],
                "Those are the windows of the single layers, on their own inputs. Asked for are pixels of the picture.",
            ),
            Mistake(
                [28, 14, 10, 5],
                "Those are the sizes of the outputs. Asked for is how much of the picture one value sees.",
            ),
            Mistake(
                [25, 36, 196, 256],
                "Those are areas. Asked for is the side.",
            ),
            Mistake(
                [5, 10, 14, 28],
                "Pooling does not double the receptive field. It adds (2 - 1) · jump, and doubles the jump.",
            ),
            Mistake(
                [5, 6, 14, 18],
                "You added 4 for pool2. Its 2 values of conv2 lie 2 pixels apart: it adds (2 - 1) · 2, and its own stride counts only for later layers.",
            ),
        ],
        hints=(
            "Keep two numbers, r and the jump j, both 1 at the start, and go through the layers.",
            "First r + (K - 1) · j with the jump from *before* the layer, then j · stride.",
            "conv1: r = 5, j = 1. pool1: r = 5 + 1 · 1 = 6, j = 2. Two are left.",
        ),
    ),
    Exercise(
        id="05.7",
        title="Prepare the input",
        reference=prepare,
        cases=[
            Case(_PICTURES, _MEAN, _STD),
            Case(_SQUARE, _MEAN, _STD),
            Case(_PICTURES[..., :1], (0.3,), (0.25,)),
        ],
        mistakes=[
            Mistake(
                lambda x, m, s: ((x - np.asarray(m)) / np.asarray(s)).transpose(0, 3, 1, 2),
                "The division by 255 is missing: mean and std are on the scale from 0 to 1, the pixels on that from 0 to 255.",
            ),
            Mistake(
                lambda x, m, s: ((x - np.asarray(m)) / np.asarray(s) / 255).transpose(0, 3, 1, 2),
                "You divide by 255 last. Bring the pixels to the scale from 0 to 1 first; mean and std belong to that scale.",
            ),
            Mistake(
                lambda x, m, s: _prepared(x, m, s).transpose(0, 2, 3, 1),
                "The numbers are right; the result is still NHWC. The net wants (N, C, H, W).",
            ),
            Mistake(
                lambda x, m, s: (
                    _prepared(x, m, s).transpose(0, 2, 3, 1).reshape(len(x), x.shape[3], *x.shape[1:3])
                ),
                "`reshape` keeps the numbers in their order and tears the picture apart. `transpose(0, 3, 1, 2)` moves the channels.",
            ),
            Mistake(
                lambda x, m, s: _prepared(x, m, s).swapaxes(2, 3),
                "Rows and columns are exchanged: the axes must come as 0, 3, 1, 2, not 0, 3, 2, 1.",
            ),
            Mistake(
                lambda x, m, s: _prepared(x, [0] * len(m), s),
                "The mean is not subtracted.",
            ),
            Mistake(
                lambda x, m, s: _prepared(x, m, [1] * len(s)),
                "The division by std is missing.",
            ),
            Mistake(
                lambda x, m, s: _prepared(x, [0] * len(m), [1] * len(s)),
                "Scaled and turned, not normalised: subtract the mean and divide by std, for each channel.",
            ),
            Mistake(
                lambda x, m, s: _prepared(x, [0] * len(m), s) - np.asarray(m).reshape(-1, 1, 1),
                "The mean comes off first, then the division: (x - mean) / std.",
            ),
            Mistake(
                lambda x, m, s: _prepared(x, m, np.square(s)),
                "You divide by the variance. Divide by the standard deviation.",
            ),
            Mistake(
                lambda x, m, s: _prepared(x, m, 1 / np.asarray(s)),
                "You multiply by std. Divide by it.",
            ),
            Mistake(
                lambda x, m, s: ((x / 255 - (x / 255).mean()) / (x / 255).std()).transpose(0, 3, 1, 2),
                "You normalise with the numbers of these pictures. The net knows the mean and std of its training pictures, so it must get those.",
            ),
            Mistake(
                lambda x, m, s: _prepared(x, np.mean(m), np.mean(s)),
                "One mean and one std for all channels: each channel has its own.",
            ),
            Mistake(
                lambda x, m, s: _prepared(x[..., ::-1], m, s),
                "The channels come in the opposite order: red and blue are exchanged. Files read by OpenCV have that order, these pictures do not.",
            ),
            Mistake(
                lambda x, m, s: ((x // 255 - np.asarray(m)) / np.asarray(s)).transpose(0, 3, 1, 2),
                "`//` divides whole numbers and leaves 0 or 1. Use `/ 255`.",
            ),
            Mistake(
                lambda x, m, s: (x.transpose(0, 3, 1, 2) / 255 - np.asarray(m)) / np.asarray(s),
                "After the transpose the columns stand last, and mean and std line up with them. Transpose at the end, or give both the shape (C, 1, 1).",
            ),
            Mistake(
                lambda x, m, s: _prepared(x, (x / 255).mean((0, 1, 2)), (x / 255).std((0, 1, 2))),
                "You took mean and std from these pictures, channel by channel. Take the given ones: they come from the pictures that the net was trained with.",
            ),
        ],
        hints=(
            "Four steps: scale, subtract, divide, move an axis. In which order do they fit the numbers given?",
            "While the channels stand last, `mean` and `std` line up with them by themselves; move the axis at the end.",
            "`(pictures / 255 - mean) / std`, then `transpose(0, 3, 1, 2)` and `astype(np.float32)`.",
        ),
    ),
    Exercise(
        id="05.8",
        title="Dead channels",
        reference=dead_channels,
        cases=[Case(z) for z in _Z],
        mistakes=[
            Mistake(
                lambda z: int((z.max(axis=(2, 3)) <= 0).any(axis=0).sum()),
                "A channel that is silent on *some* picture is not dead. It must be silent on all of them.",
            ),
            Mistake(
                lambda z: int((z.max(axis=(2, 3)) <= 0).sum()),
                "You count pairs of a picture and a channel. A channel is dead when no picture wakes it: the maximum runs over the pictures as well.",
            ),
            Mistake(
                lambda z: int((z.mean(axis=(0, 2, 3)) <= 0).sum()),
                "A negative mean is not death: one positive value anywhere gives the channel a gradient. Look at the maximum.",
            ),
            Mistake(
                lambda z: int((z <= 0).sum()),
                "You count values. Asked for are channels none of whose values is positive.",
            ),
            Mistake(
                lambda z: int((z.max(axis=(0, 2, 3)) > 0).sum()),
                "You count the living.",
            ),
            Mistake(
                lambda z: int((z.max(axis=(0, 2, 3)) < 0).sum()),
                "At exactly 0 ReLU gives 0, and torch takes its slope there as 0: such a channel is dead as well.",
            ),
            Mistake(
                lambda z: int((z.max(axis=(1, 2, 3)) <= 0).sum()),
                "You count pictures on which every channel is silent. The channels are axis 1.",
            ),
            Mistake(
                lambda z: int((z.min(axis=(0, 2, 3)) <= 0).sum()),
                "The minimum says that a channel is silent *somewhere*. Dead means silent everywhere: look at the maximum.",
            ),
            Mistake(
                lambda z: int((z[0].max(axis=(1, 2)) <= 0).sum()),
                "You looked at the first picture only.",
            ),
            Mistake(
                lambda z: int((z.max(axis=0) <= 0).sum()),
                "You count places as units of their own. A channel uses one kernel at every place, so it lives if it is positive anywhere.",
            ),
            Mistake(
                lambda z: float((z.max(axis=(0, 2, 3)) <= 0).mean()),
                "That is the share. Asked for is the number.",
            ),
            Mistake(
                lambda z: int((z == 0).all(axis=(0, 2, 3)).sum()),
                "z comes before the ReLU, so a dead channel is negative there, not zero. Count what is at most 0.",
            ),
        ],
        hints=(
            "When does a ReLU let no gradient through, whatever the picture?",
            "A channel is dead when its largest value over pictures, rows and columns is not positive.",
            "`z.max(axis=(0, 2, 3))` has one number for each channel. Count those that are at most 0.",
        ),
    ),
]
