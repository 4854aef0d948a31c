"""Files of other labelling tools, as those tools write them."""

import json

BOX = "0 0.5 0.5 0.2 0.2\n"
CLASSES = ["ok", "crack", "scratch"]


def write(folder, files):
    """Write files, given by path; what is no text becomes JSON."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


def coco(images=("a.png",), boxes=(("a.png", "crack"),), categories=("crack", "scratch"), **more):
    numbers = {name: number for number, name in enumerate(images, 1)}
    kinds = {name: number * 7 for number, name in enumerate(categories, 1)}
    return {
        "images": [{"id": number, "file_name": name} for name, number in numbers.items()],
        "annotations": [
            {"id": n, "image_id": numbers[image], "category_id": kinds[name], "bbox": [1, 2, 3, 4]}
            for n, (image, name) in enumerate(boxes)
        ],
        "categories": [{"id": number, "name": name} for name, number in kinds.items()],
    } | more


def cvat(*images):
    """Return CVAT's XML; an image is its name and the XML of its marks."""
    rows = "\n".join(f'<image id="0" name="{name}">\n{marks}\n</image>' for name, marks in images)
    return f'<?xml version="1.0"?>\n<annotations>\n<version>1.1</version>\n{rows}\n</annotations>'


def voc(name, *classes):
    objects = "".join(f"<object>\n<name>{one}</name>\n</object>\n" for one in classes)
    return f"<annotation>\n<filename>{name}</filename>\n{objects}</annotation>"


def samples(*rows):
    return {"samples": [{"filepath": f"data/{name}", **fields} for name, fields in rows]}


def detections(*names):
    return {"_cls": "Detections", "detections": [{"_cls": "Detection", "label": n} for n in names]}


def task(image, *choices, **more):
    result = [{"type": "choices", "value": {"choices": [one]}} for one in choices]
    annotation = {"id": 1, "completed_by": {"email": "anna@x"}, "result": result}
    return {"id": 1, "data": {"image": image}, "annotations": [annotation | more]}
