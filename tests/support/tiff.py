"""Write TIFF files of the kinds that Pillow reads and cannot write."""

import struct
import zlib

RAW, DEFLATE = 1, 8
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK = 0, 1, 2, 3, 5


def tiff(*pages, order="<"):
    """Return a TIFF file of pages that `page` made; order: `<` Intel, `>` Motorola."""
    content = bytearray(struct.pack(f"{order}2sHL", b"II" if order == "<" else b"MM", 42, 0))
    link = 4
    for strips, tags in pages:
        places, lengths = [], [len(strip) for strip in strips]
        for strip in strips:
            places.append(len(content))
            content += strip + b"\0" * (len(strip) % 2)
        later, entries = bytearray(), []
        directory = len(content)
        after = directory + 2 + 12 * (len(tags) + 2) + 4
        for number, (kind, values) in sorted(
            (tags | {273: ("L", places), 279: ("L", lengths)}).items()
        ):
            packed = struct.pack(f"{order}{len(values)}{kind}", *values)
            code = {"H": 3, "L": 4}[kind]
            entry = struct.pack(f"{order}HHL", number, code, len(values))
            if len(packed) <= 4:
                entries.append(entry + packed.ljust(4, b"\0"))
            else:
                entries.append(entry + struct.pack(f"{order}L", after + len(later)))
                later += packed
        struct.pack_into(f"{order}L", content, link, directory)
        content += struct.pack(f"{order}H", len(entries)) + b"".join(entries)
        link = len(content)
        content += struct.pack(f"{order}L", 0) + later
    return bytes(content)


def page(
    values, photometric, *, order="<", compression=RAW, orientation=1, extra=(), planar=1,
    palette=None, subfile=0,
):  # fmt: skip
    """Return the strips and the tags of a page with these values, [h, w] or [h, w, c]."""
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    planes = values if values.ndim == 3 else values[..., None]
    height, width, channels = planes.shape
    stored = planes.astype(planes.dtype.newbyteorder(order))
    strips = [stored[..., i] for i in range(channels)] if planar == 2 else [stored]
    contents = [strip.tobytes() for strip in strips]
    tags = {
        254: ("L", [subfile]),
        256: ("L", [width]),
        257: ("L", [height]),
        258: ("H", [8 * values.dtype.itemsize] * channels),
        259: ("H", [compression]),
        262: ("H", [photometric]),
        274: ("H", [orientation]),
        277: ("H", [channels]),
        278: ("L", [height]),
        284: ("H", [planar]),
        339: ("H", [kind] * channels),
    }
    if extra:
        tags[338] = ("H", list(extra))
    if palette is not None:
        tags[320] = ("H", [int(value) * 257 for value in palette.T.ravel()])
    return [zlib.compress(c) if compression == DEFLATE else c for c in contents], tags


def write(path, values, photometric, *, order="<", **options):
    """Write a TIFF file of one page."""
    path.write_bytes(tiff(page(values, photometric, order=order, **options), order=order))
