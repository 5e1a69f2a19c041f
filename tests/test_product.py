"""Export, quantisation, the HTTP service, the model card, drift and the demo page of lesson 20."""

import http.client
import io
import json
import re
import shutil
import socket
import struct
import threading
import time
import tracemalloc
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin
from test_browser import BROWSER
from torch import nn

from course_utils.data import DataSet, card, read_image
from course_utils.errors import CourseError
from course_utils.product import export, service
from course_utils.product.__main__ import main
from course_utils.product.about import About, fingerprint
from course_utils.product.card import model_card
from course_utils.product.cells import split_cells
from course_utils.product.drift import Monitor, picture_statistics
from course_utils.product.model import Product, prepared
from course_utils.product.session import Classifier
from course_utils.product.uploads import Limits, UploadError, read_upload

ABOUT = About(("dark", "bright"), size=16, channels=1, mean=0.5, std=0.5, data="elpv", data_sha256="f" * 64)
SMALL = Limits(body=200_000, pixels=1_000_000, side=4_000)


def small_network() -> Product:
    """A network whose answer is known: the brighter the picture, the surer it is of "bright"."""
    torch.manual_seed(0)
    features = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU6(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU6(),
        nn.AvgPool2d(16), nn.Flatten(),
    )  # fmt: skip
    for layer in (features[0], features[2]):
        nn.init.constant_(layer.weight, 0.02)
        nn.init.constant_(layer.bias, 0.5)
        layer.weight.data += 0.001 * torch.randn_like(layer.weight)
    product = Product(features, nn.Linear(8, 2), ABOUT)
    with torch.no_grad():
        middle = product(torch.full((1, 16, 16, 1), 128, dtype=torch.uint8))[1]
        product.classifier.weight.copy_(torch.stack([-10 * torch.ones(8), 10 * torch.ones(8)]))
        product.classifier.bias.copy_(torch.tensor([10.0, -10.0]) * middle.sum())
    return product


@pytest.fixture(scope="module")
def product():
    return small_network()


@pytest.fixture(scope="module")
def program(product):
    return export.export_program(product)


@pytest.fixture(scope="module")
def onnx_file(program, tmp_path_factory):
    return export.save_onnx(program, tmp_path_factory.mktemp("model") / "small.onnx", ABOUT)


@pytest.fixture(scope="module")
def classifier(onnx_file):
    return Classifier(onnx_file)


def pictures(n, height=24, width=20, seed=0):
    rng = np.random.default_rng(seed)
    level = rng.integers(20, 236, (n, 1, 1, 1))
    return np.clip(level + rng.normal(0, 12, (n, height, width, 1)), 0, 255).astype(np.uint8)


def file_of(picture, form="PNG", **options) -> bytes:
    out = io.BytesIO()
    picture.save(out, format=form, **options)
    return out.getvalue()


NOISE = file_of(Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 60), np.uint8)))
GREY = file_of(Image.fromarray(np.full((40, 30), 200, np.uint8)))


# Export


@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize("shape", [(16, 16), (1, 1), (40, 9), (150, 300)])
def test_every_size_gives_the_same_from_all_three(product, program, classifier, batch, shape):
    x = pictures(batch, *shape)
    with torch.no_grad():
        wanted = [t.numpy() for t in product(torch.from_numpy(x))]
        traced = [t.numpy() for t in program.module()(torch.from_numpy(x))]
    for a, b, c in zip(wanted, traced, classifier(x), strict=True):
        np.testing.assert_allclose(b, a, atol=1e-5)
        np.testing.assert_allclose(c, a, atol=1e-5)


def test_a_saved_program_runs_without_our_classes(program, product, tmp_path):
    torch.export.save(program, tmp_path / "p.pt2")
    x = torch.from_numpy(pictures(3))
    again = torch.export.load(tmp_path / "p.pt2").module()
    torch.testing.assert_close(again(x), product(x))


def test_preparation_is_pillows_bilinear(product):
    picture = pictures(1, 61, 47)[0]
    small = np.asarray(
        Image.fromarray(picture[..., 0]).resize((16, 16), Image.Resampling.BILINEAR), np.float32
    )
    inside = prepared(torch.from_numpy(picture[None]), ABOUT)[0, 0].numpy()
    assert np.abs(inside - (small / 255 - 0.5) / 0.5).max() <= 1.01 / 127.5, (
        "within the rounding to whole grey values"
    )


def test_the_description_travels_in_the_file(classifier):
    assert classifier.about == ABOUT
    assert classifier(pictures(1)[0])[0].shape == (1, 2), "one picture without a batch axis"


@pytest.mark.parametrize("bad", [np.zeros((1, 8, 8, 1)), np.zeros((1, 8, 8, 3), np.uint8), np.zeros((0, 8, 8, 1), np.uint8)])  # fmt: skip
def test_pixels_of_another_kind_are_refused(classifier, bad):
    with pytest.raises(CourseError, match="Valid: uint8"):
        classifier(bad)


def test_files_that_are_no_model_of_ours_are_refused(tmp_path, onnx_file):
    import onnx

    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(CourseError, match="not an ONNX model"):
        Classifier(tmp_path / "text.onnx")
    model = onnx.load(str(onnx_file))
    del model.metadata_props[:]
    onnx.save(model, str(tmp_path / "bare.onnx"))
    with pytest.raises(CourseError, match="does not say what it was trained on"):
        Classifier(tmp_path / "bare.onnx")


def test_parity_finds_what_is_wrong():
    same = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert export.parity(same, same) == export.Parity(0.0, 1.0, 2)
    assert export.parity(same, same[:, ::-1]).agreement == 0
    with pytest.raises(CourseError, match="shapes"):
        export.parity(same, same[:1])
    with pytest.raises(CourseError, match="not finite"):
        export.parity(same, same * np.nan)


@pytest.mark.parametrize("per_channel", [True, False])
def test_int8_is_smaller_and_nearly_the_same(classifier, onnx_file, tmp_path, per_channel):
    batches = [pictures(8, seed=s) for s in range(3)]
    path = export.quantise(onnx_file, tmp_path / "int8.onnx", batches, per_channel=per_channel, keep=0)
    small = Classifier(path)
    assert small.about.precision == "int8" and small.about.classes == ABOUT.classes
    x = pictures(40, seed=9)
    as_written = Classifier(path, as_written=True)(x)[0]
    assert export.parity(as_written, small(x)[0]).difference < 0.02, "7 bits are the same on every processor"
    assert export.parity(classifier(x)[0], small(x)[0]).agreement >= 0.9


def test_other_numbers_of_bits_are_refused(onnx_file, tmp_path):
    with pytest.raises(CourseError, match="Valid: 7"):
        export.quantise(onnx_file, tmp_path / "x.onnx", [], bits=4)


# Uploads


def png_header(width, height, depth=8) -> bytes:
    """A PNG that says how large it is and holds no pixels."""
    import struct
    import zlib

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"hello", 415),
        (b"\x89PNG\r\n\x1a\n", 415),
        (b"GIF89a" + bytes(100), 415),
        (file_of(Image.new("L", (64, 64)), "BMP"), 415),
        (file_of(Image.new("RGB", (64, 64)), "TIFF"), 415),
        (NOISE[: len(NOISE) // 2], 422),
        (png_header(64, 64), 422),
        (png_header(100_000, 100_000), 413),
        (png_header(2_000, 2_000), 413),
        (file_of(Image.new("L", (5_000, 20))), 413),
        (file_of(Image.new("L", (4, 40))), 422),
        (file_of(Image.fromarray(np.zeros((40, 40), np.uint16))), 415),
        (bytes(SMALL.body + 1), 413),
    ],
)
def test_a_bad_upload_has_a_status_and_a_sentence(body, status):
    with pytest.raises(UploadError) as refused:
        read_upload(body, 1, SMALL)
    assert refused.value.status == status
    assert str(refused.value).endswith((".", "side.")) and "Traceback" not in str(refused.value)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_bomb_is_refused_without_being_unfolded():
    bomb = file_of(Image.new("1", (25_000, 6_000)))  # below Pillow's own alarm
    began = time.process_time()
    with pytest.raises(UploadError) as refused:
        read_upload(bomb, 1)
    assert refused.value.status == 413 and time.process_time() - began < 0.2


def exif_that_unfolds(tags, size):
    """EXIF data whose ``tags`` all claim the same ``size`` bytes as their value."""
    start = 8 + 2 + 12 * tags + 4
    entries = b"".join(struct.pack("<HHII", 40_000 + tag, 7, size, start) for tag in range(tags))
    return b"II*\0" + struct.pack("<IH", 8, tags) + entries + bytes(4 + size)


@pytest.mark.filterwarnings("ignore:Truncated File Read")  # the first segment names bytes of the others
def test_exif_data_cannot_fill_the_memory():
    exif = exif_that_unfolds(1_500, 180_000)
    parts = [exif[i : i + 60_000] for i in range(0, len(exif), 60_000)]
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(p) + 8) + b"Exif\0\0" + p for p in parts)
    plain = file_of(Image.new("L", (32, 32)), "JPEG")
    profile = PngImagePlugin.PngInfo()
    profile.add_text("Raw profile type exif", "\nexif\n8\n" + exif.hex(), zip=True)
    tracemalloc.start()
    with pytest.raises(UploadError, match="EXIF data are too large") as refused:
        read_upload(file_of(Image.new("L", (32, 32)), exif=exif), 1)
    assert refused.value.status == 413
    assert read_upload(plain[:2] + segments + plain[2:], 1).shape == (32, 32, 1)
    assert read_upload(file_of(Image.new("L", (32, 32)), pnginfo=profile), 1).shape == (32, 32, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def test_a_list_of_further_pictures_cannot_fill_the_memory():
    entries = 1_200
    start = 8 + 2 + 12 * entries + 4
    size = 65_000 - start
    listed = b"".join(struct.pack("<HHII", 40_000 + i, 3, size // 2, start) for i in range(entries))
    segment = b"MPF\0II*\0" + struct.pack("<IH", 8, entries) + listed + bytes(4 + size)
    plain = file_of(Image.new("L", (32, 32)), "JPEG")
    body = plain[:2] + b"\xff\xe2" + struct.pack(">H", len(segment) + 2) + segment + plain[2:]
    tracemalloc.start()
    assert read_upload(body, 1).shape == (32, 32, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_a_photograph_that_was_stored_turned_is_set_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read_upload(file_of(Image.new("L", (40, 20)), "JPEG", exif=exif), 1).shape == (40, 20, 1)


def test_a_jpeg_of_endless_scans_is_refused():
    body = file_of(Image.new("L", (64, 64), 128), "JPEG", progressive=True)
    last = body[body.rindex(b"\xff\xda") : -2]
    assert read_upload(body, 1).shape == (64, 64, 1)
    with pytest.raises(UploadError, match=r"scans; the limit is 64") as refused:
        read_upload(body[:-2] + 64 * last + body[-2:], 1)
    assert refused.value.status == 413


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_of_8_bits_is_read(mode, channels):
    pixels = read_upload(file_of(Image.new("L", (30, 20), 255).convert(mode)), channels)
    assert pixels.shape == (20, 30, channels) and pixels.dtype == np.uint8 and pixels.min() == 255


def test_a_turned_photograph_stands_upright():
    exif = Image.Exif()
    exif[274] = 6  # the camera was held on its side
    assert read_upload(file_of(Image.new("L", (60, 20)), "JPEG", exif=exif), 1).shape == (60, 20, 1)


def test_transparency_is_what_it_was_in_training(tmp_path):
    clear = Image.new("RGBA", (30, 20), (0, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    assert np.array_equal(read_upload(file_of(clear), 3), read_image(tmp_path / "clear.png"))


# The HTTP service


@pytest.fixture(scope="module")
def server(classifier):
    with service.running(classifier, limits=SMALL, patience=1.0) as running:
        yield running


def ask(server, method="POST", path="/predict", body=None, headers=None):
    connection = http.client.HTTPConnection(*server.server_address, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


def raw(server, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Send bytes as they are and return all that comes back."""
    with socket.create_connection(server.server_address, timeout=20) as s:
        for piece in pieces:
            s.sendall(piece)
            time.sleep(pause)
        answer = b""
        while part := s.recv(65_536):
            answer += part
    return answer


def alive(server):
    status, reply = ask(server, body=GREY)
    assert status == 200 and reply["class"] == "bright", reply


def test_a_picture_gets_its_probabilities(server, classifier):
    status, reply = ask(server, body=GREY)
    assert status == 200 and reply["pixels"] == [30, 40] and reply["version"] == ABOUT.version
    chances = classifier(np.full((40, 30, 1), 200, np.uint8))[0][0]
    assert list(reply["probabilities"].values()) == pytest.approx(chances.tolist(), abs=1e-5)


def test_it_says_what_it_is(server):
    assert ask(server, "GET", "/health") == (200, {"status": "ok"})
    status, about = ask(server, "GET", "/about")
    assert status == 200 and About.from_json(json.dumps(about)) == ABOUT


@pytest.mark.parametrize(
    ("request_of", "status"),
    [
        ({"method": "GET", "path": "/"}, 404),
        ({"path": "/elsewhere", "body": GREY}, 404),
        ({"method": "PUT", "body": GREY}, 501),
        ({"body": b""}, 422),
        ({"body": b'{"picture": 3}', "headers": {"Content-Type": "application/json"}}, 415),
        ({"body": NOISE[: len(NOISE) // 2]}, 422),
        ({"body": png_header(100_000, 100_000)}, 413),
        ({"body": bytes(SMALL.body + 1)}, 413),
        ({"body": bytes(20 * SMALL.body)}, 413),
        ({"body": GREY, "headers": {"Content-Length": "many"}}, 411),
        ({"body": GREY, "headers": {"Content-Length": "-5"}}, 411),
        ({"body": iter([GREY]), "headers": {"Transfer-Encoding": "chunked"}}, 411),
    ],
)
def test_it_survives_what_strangers_send(server, request_of, status):
    got, reply = ask(server, **request_of)
    assert got == status and set(reply) == {"error"}
    assert not re.search(r"Traceback|/work|site-packages|\.py", reply["error"])
    alive(server)


@pytest.mark.parametrize(
    "noise",
    [
        b"\x00\xff\x16\x03\x01" * 20 + b"\r\n\r\n",
        b"POST\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_it_survives_what_is_no_http(server, noise):
    raw(server, noise)
    alive(server)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /health HTTP/1.1\r\nContent-Length: {n}", 200),
        ("GET /health HTTP/1.1\r\nTransfer-Encoding: chunked", 200),
        ("GET /health HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: {n}", 200),
        ("POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: {n}", 411),
        ("POST /predict HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: {n}", 411),
        ("POST /predict HTTP/1.1\r\nContent-Length: " + 5000 * "9", 413),
    ],
)
def test_no_request_hides_in_the_body_of_another(server, head, status):
    hidden = "GET /about HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = raw(server, f"{head.format(n=len(hidden))}\r\nHost: x\r\n\r\n{hidden}".encode())
    assert answer.startswith(f"HTTP/1.1 {status}".encode()) and answer.count(b"HTTP/1.1 ") == 1
    alive(server)


def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(server):
    head = f"POST /predict HTTP/1.1\r\nContent-Length: {10**12}\r\nExpect: 100-continue\r\n\r\n"
    assert raw(server, head.encode()).startswith(b"HTTP/1.1 413")
    alive(server)


def test_a_client_that_stops_sending_is_given_up(server):
    began = time.perf_counter()
    answer = raw(server, b"POST /predict HTTP/1.1\r\nContent-Length: 1000\r\n\r\nabc")
    assert answer.startswith(b"HTTP/1.1 408") and 0.5 < time.perf_counter() - began < 10
    alive(server)


def test_a_client_that_sends_its_head_line_by_line_is_given_up(server):
    with socket.create_connection(server.server_address, timeout=20) as s:
        s.sendall(b"POST /predict HTTP/1.1\r\n")
        s.settimeout(0.2)
        for _ in range(50):  # ten seconds; the server's patience is one
            try:
                s.sendall(b"X: a\r\n")
                if not s.recv(100):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            pytest.fail("it still listens")
    alive(server)


def test_a_client_that_sends_drop_by_drop_is_given_up(server):
    began = time.perf_counter()
    with socket.create_connection(server.server_address, timeout=20) as s:
        s.sendall(b"POST /predict HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")
        s.settimeout(0.2)
        answer = b""
        while not answer and time.perf_counter() - began < 15:
            s.sendall(b"x")
            try:
                answer = s.recv(100)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408") and time.perf_counter() - began < 10
    alive(server)


def test_more_connections_than_allowed_are_closed_and_the_rest_served(classifier, monkeypatch):
    monkeypatch.setattr(service, "CONNECTIONS", 3)
    with service.running(classifier, patience=5.0) as server:
        held = [socket.create_connection(server.server_address, timeout=20) for _ in range(3)]
        time.sleep(0.3)
        with socket.create_connection(server.server_address, timeout=20) as fourth:
            assert fourth.recv(10) == b"", "closed at once"
        for s in held:
            s.close()
        time.sleep(0.3)
        alive(server)


def test_clients_that_go_away_do_no_harm(server):
    for _ in range(20):
        with socket.create_connection(server.server_address, timeout=5) as s:
            s.sendall(b"POST /predict HTTP/1.1\r\nContent-Length: 50\r\n\r\nab")
    alive(server)


def test_more_than_its_places_hear_503_at_once(classifier):
    entered, leave = threading.Event(), threading.Event()

    class Slow:
        about = classifier.about

        def __call__(self, pixels):
            entered.set()
            leave.wait(10)
            return classifier(pixels)

    with service.running(Slow(), at_once=1) as server:
        first = []
        thread = threading.Thread(target=lambda: first.append(ask(server, body=GREY)))
        thread.start()
        assert entered.wait(10)
        assert ask(server, body=GREY)[0] == 503
        leave.set()
        thread.join(10)
        assert first[0][0] == 200 and ask(server, body=GREY)[0] == 200


@pytest.mark.parametrize("nan", [False, True])
def test_a_model_that_fails_tells_the_log_why_and_not_the_client(classifier, capfd, nan):
    class Broken:
        about = classifier.about

        def __call__(self, pixels):
            if nan:
                return np.full((1, 2), np.nan), None
            raise RuntimeError("secret of the house")

    with service.running(Broken()) as server:
        status, reply = ask(server, body=GREY)
        assert status == 500 and "secret" not in reply["error"]
    assert ("nan" if nan else "secret of the house") in capfd.readouterr().err


def test_many_at_the_same_time_get_the_right_answers(classifier):
    from concurrent.futures import ThreadPoolExecutor

    dark = file_of(Image.fromarray(np.full((40, 30), 40, np.uint8)))
    with service.running(classifier, at_once=8) as server, ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda i: ask(server, body=(GREY, dark)[i % 2])[1]["class"], range(40)))
    assert replies == ["bright", "dark"] * 20


# The model card


RUN = {
    "profile": "fast", "seeds": [0], "device": "cpu", "data": {"elpv": "package"},
    "metrics": {"accuracy": {"value": 0.8125, "low": 0.79, "high": 0.83, "n": 656, "unit": "fraction"}},
}  # fmt: skip


def test_the_card_holds_the_runs_numbers_and_its_front_matter_is_yaml():
    import yaml

    text = model_card(ABOUT, RUN, card("elpv"), name="a-model")
    front = yaml.safe_load(text.split("---")[1])
    assert front["license"] == "cc-by-nc-sa-4.0" and front["datasets"] == ["elpv"]
    assert front["model-index"][0]["results"][0]["metrics"] == [{"type": "accuracy", "value": 0.8125}]
    assert "| accuracy | 0.8125 fraction | 0.790 to 0.830 | 656 |" in text
    assert (
        ABOUT.data_sha256 in text
        and "What not to use it for" in text
        and "labels are looks, not watts" in text
    )
    assert "{" not in text


def test_a_card_is_never_half_filled():
    with pytest.raises(CourseError, match=r"no recall\. It has: accuracy"):
        model_card(ABOUT, RUN, card("elpv"), name="a-model", metrics={"recall": "recall"})


def test_the_command_fills_a_card_from_a_file_of_runs(onnx_file, tmp_path, capsys):
    times = {"value": 7.5, "low": 7.0, "high": 9.0, "n": 400, "unit": "ms"}
    int8 = {"accuracy_int8": RUN["metrics"]["accuracy"] | {"value": 0.75}, "latency": times}
    whole = RUN | {"metrics": RUN["metrics"] | int8,
                   "lesson": "20_from_notebook_to_product", "seconds": 1.0, "peak_memory_mb": 1.0, "versions": {},
                   "machine": "here", "date": "2026-01-01", "commit": None, "code_hash": None}  # fmt: skip
    (tmp_path / "runs.json").write_text(json.dumps([whole]))
    assert main(["card", str(onnx_file), "--run", str(tmp_path / "runs.json")]) == 0
    assert "0.8125" in capsys.readouterr().out
    assert main(["card", str(onnx_file)]) == 2 and "--run FILE" in capsys.readouterr().err
    assert main(["card", str(tmp_path / "none.onnx")]) == 2
    for name, about in {
        "int8": {"precision": "int8"},
        "int4": {"precision": "int4"},
        "own": {"data": "photos"},
    }.items():
        shutil.copy(onnx_file, tmp_path / f"{name}.onnx")
        export.write_about(tmp_path / f"{name}.onnx", replace(ABOUT, **about))
    run = ("--run", str(tmp_path / "runs.json"))
    assert main(["card", str(tmp_path / "int8.onnx"), *run]) == 0
    printed = capsys.readouterr().out
    assert (
        "value: 0.7500" in printed
        and "| latency | 7.5 ms | 5 to 95 % of calls: 7.000 to 9.000 | 400 |" in printed
    )
    assert main(["card", str(tmp_path / "int8.onnx"), *run, "--metric", "accuracy"]) == 0
    assert "value: 0.8125" in capsys.readouterr().out
    assert main(["card", str(tmp_path / "int4.onnx"), *run]) == 2
    assert "no accuracy_int4. It has: accuracy, accuracy_int8" in capsys.readouterr().err
    assert main(["card", str(tmp_path / "own.onnx"), *run]) == 2
    assert "trained on 'photos'" in capsys.readouterr().err


def test_an_address_that_cannot_be_had_is_named(onnx_file, server, capsys):
    for port in (server.server_address[1], 70_000):
        assert main(["serve", str(onnx_file), "--port", str(port)]) == 2
        assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


@pytest.mark.parametrize("bad", [{"std": 0.0}, {"size": 0}, {"classes": ("a", "a")}])
def test_a_description_that_cannot_be_right_is_refused(bad):
    with pytest.raises(CourseError, match="Valid: at least two different class names"):
        replace(ABOUT, **bad)


def test_floats_have_no_fingerprint():
    with pytest.raises(CourseError, match="pictures of float64"):
        fingerprint(np.ones((2, 1, 4, 4)) / 2, [0, 1])


# Drift


def described(n, shift, rng):
    return (
        rng.normal(shift, 1, (n, 3)),
        rng.normal(shift, 1, (n, 6)),
        np.full((n, 2), 0.5) + rng.normal(0, 0.1, (n, 2)),
    )


def test_false_alarms_come_at_the_promised_rate_and_a_shift_is_found():
    rng = np.random.default_rng(0)
    monitors = [Monitor(described(60, 0, rng), permutations=99, seed=s) for s in range(80)]
    alarms = sum(m(described(20, 0, rng)).any for m in monitors)
    assert alarms <= 10, "80 windows at a rate of 0.05: 4 are expected"
    assert all(m(described(20, 1.5, rng)).any for m in monitors[:20])


def test_heavy_tails_do_not_raise_the_rate_of_false_alarms():
    rng, alarms = np.random.default_rng(0), 0
    draw = lambda n: (rng.pareto(1.5, (n, 3)), np.zeros((n, 1)), np.full((n, 2), 0.5))  # noqa: E731
    for seed in range(1000):
        alarms += Monitor(draw(60), permutations=59, seed=seed)(draw(8)).alarm["pictures"]
    assert alarms <= 28, "1,000 windows at a rate of 0.05 / 3: 17 are expected"


def test_the_permutation_test_agrees_with_scipy():
    from scipy import stats

    rng = np.random.default_rng(1)
    for shift in (0.0, 0.4, 0.8):
        a, b = rng.normal(0, 1, 60), rng.normal(shift, 1, 30)
        flat = np.zeros((60, 2)), np.zeros((30, 2))
        monitor = Monitor((np.stack([a, a, a], 1), flat[0], flat[0]), permutations=1999)
        ours = monitor((np.stack([b, b, b], 1), flat[1], flat[1])).p_value["pictures"]
        theirs = stats.permutation_test((a, b), lambda x, y: abs(x.mean() - y.mean()), n_resamples=1999,
                                        vectorized=False, alternative="greater", rng=0).pvalue  # fmt: skip
        assert ours == pytest.approx(theirs, abs=0.04)


def test_pictures_that_change_ring(classifier):
    x = pictures(120)
    monitor = Monitor(Monitor.describe(classifier, x[:60]), permutations=199)
    assert not monitor(Monitor.describe(classifier, x[60:])).any
    dark = Monitor.describe(classifier, (x[60:] * 0.3).astype(np.uint8))
    assert monitor(dark).alarm["pictures"] and monitor(dark).alarm["embedding"]


def test_the_command_watches_folders(onnx_file, tmp_path, capsys):
    for name, seed, factor in (("before", 0, 1.0), ("same", 1, 1.0), ("darker", 2, 0.3)):
        (tmp_path / name).mkdir()
        for i, picture in enumerate(pictures(40, seed=seed)):
            Image.fromarray((picture[..., 0] * factor).astype(np.uint8)).save(tmp_path / name / f"{i}.png")
    (tmp_path / "same" / "bad.png").write_bytes(b"no picture")
    (tmp_path / "same" / "folder.png").mkdir()

    def watch(name):
        return main(
            ["watch", str(onnx_file), "--reference", str(tmp_path / "before"), "--new", str(tmp_path / name)]
        )

    assert watch("same") == 0
    printed = capsys.readouterr()
    assert "40 new pictures against 40" in printed.out and "left out bad.png" in printed.err
    assert watch("darker") == 1 and "DIFFERENT" in capsys.readouterr().out
    assert watch("nowhere") == 2 and "is no folder" in capsys.readouterr().err
    assert main(["watch", str(onnx_file)]) == 2


def test_statistics_are_what_they_say():
    board = np.indices((8, 8)).sum(0)[None, :, :, None] % 2 * 200
    brightness, contrast, sharpness = picture_statistics(board.astype(np.uint8))[0]
    assert (brightness, contrast) == (100, 100) and sharpness == pytest.approx(4)


def test_a_monitor_refuses_what_cannot_work():
    rng = np.random.default_rng(0)
    with pytest.raises(CourseError, match="20 or more"):
        Monitor(described(5, 0, rng))
    with pytest.raises(CourseError, match="permutations cannot reach"):
        Monitor(described(50, 0, rng), permutations=19)
    monitor, (a, b, c) = Monitor(described(50, 0, rng)), described(9, 0, rng)
    for window in ((a[:0], b[:0], c[:0]), (a, b[:, :3], c), (a, b[:5], c)):
        with pytest.raises(CourseError, match="a window of shapes"):
            monitor(window)


# The demo page


def test_without_gradio_the_demo_says_how_to_get_it(classifier, monkeypatch):
    import builtins

    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "gradio":
            raise ImportError
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    from course_utils.product.demo import build_demo

    with pytest.raises(CourseError, match=r"cnn-course\[demo\]"):
        build_demo(classifier)


@pytest.mark.skipif(find_spec("gradio") is None, reason="gradio is not installed: the extra demo")
@pytest.mark.skipif(BROWSER is None, reason="no browser is installed here")
def test_the_demo_in_a_browser(classifier, tmp_path, monkeypatch):
    from playwright.sync_api import sync_playwright

    from course_utils.product.demo import demo_running

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    (tmp_path / "bright.png").write_bytes(GREY)
    (tmp_path / "large.png").write_bytes(file_of(Image.new("1", (5_000, 300))))
    (tmp_path / "half.png").write_bytes(NOISE[: len(NOISE) // 2])
    outside = []
    with demo_running(classifier, SMALL) as url, sync_playwright() as playwright:
        assert url.startswith("http://127.0.0.1")
        browser = playwright.chromium.launch(executable_path=BROWSER)
        page = browser.new_page()
        page.set_default_timeout(60_000)

        def only_here(route):
            if not route.request.url.startswith((url, "data:", "blob:")):
                outside.append(route.request.url)
                return route.abort()
            return route.continue_()

        page.route("**/*", only_here)
        page.goto(url)
        page.get_by_text("dark or bright?").first.wait_for()

        def classify(name):
            page.locator('input[type="file"]').first.set_input_files(tmp_path / name)
            page.get_by_role("img").first.wait_for()
            page.get_by_role("button", name="Submit").click()

        classify("bright.png")
        page.locator('[data-testid="label-output-value"]', has_text="bright").wait_for()
        page.locator("button", has_text="Clear").click()
        classify("large.png")
        page.get_by_text("the limit is 1,000,000 pixels").first.wait_for()
        page.locator("button", has_text="Clear").click()
        classify("half.png")
        page.get_by_text("damaged and cannot be decoded").first.wait_for()
        browser.close()
    assert outside == [], "the page calls nobody else"


def test_twins_stay_on_one_side():
    g = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (40, 1, 96, 96), dtype=torch.uint8, generator=g)
    alike = (pictures + torch.randint(-3, 4, pictures.shape, generator=g)).clamp(0, 255).byte()
    kinds = {"module_type": np.array(["mono"] * 80)}
    data = DataSet(torch.cat([pictures, alike]), torch.arange(80) % 2, ("a", "b"), kinds)
    rest, part = split_cells(data, seed=0)
    assert not {row % 40 for row in rest} & {row % 40 for row in part}
    assert sorted([*rest, *part]) == list(range(80))
