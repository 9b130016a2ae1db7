"""The shapes of a photo (PROTOCOL *Photos*, X2) and of a signature (V3, X3). Shapes only."""

from server.domain import shapes
from server.domain.positions import POSITION_FLAGS
from server.domain.shapes import SERVER, Shape

TAGS = {
    "goods": ("货物", "Goods"),
    "batch": ("批号", "Batch"),
    "count_on_vehicle": ("车上数量", "Count on the vehicle"),
    "vehicle": ("车辆", "Vehicle"),
    "storage_place": ("存放地点", "Storage place"),
    "price": ("价格", "Price"),
    "document": ("单据", "Document"),
    "store_front": ("门头", "Store front"),
    "display": ("陈列", "Display"),
    "person": ("人员", "Person"),
    "receipt": ("票据", "Receipt"),
    "other": ("其他", "Other"),
}
SOURCES = {
    "app_camera": ("应用相机", "App camera"),
    "system_camera": ("系统相机", "System camera"),
    "gallery": ("相册", "Gallery"),
    "import": ("导入", "Import"),
}
STATES = {
    "declared": ("待上传", "Declared"),
    "stored": ("已存储", "Stored"),
    "verified": ("已校验", "Verified"),
    "refused": ("已拒收", "Refused"),
}
CONTENTS = {
    "readable": ("可读", "Readable"),
    "damaged": ("损坏", "Damaged"),
    "unsupported": ("无法预览", "Unsupported"),
}
PARTS = {
    "rep": ("业务员", "Rep"),
    "technician": ("技术员", "Technician"),
    "customer": ("客户", "Customer"),
    "affected_dealer": ("受影响市场经销商", "Dealer of the affected market"),
    "accused_dealer": ("被投诉经销商", "Accused dealer"),
    "region_manager": ("区域经理", "Region manager"),
    "sales_manager": ("销售经理", "Sales manager"),
    "witness": ("证人", "Witness"),
}
MEDIA_TYPE = "^[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}$"
PHOTO_FLAGS = {
    "gallery": ("来自相册", "From the gallery"),
    "stale_position": POSITION_FLAGS["stale_position"],
    "mocked": POSITION_FLAGS["mocked"],
}
SIGNATURE_FLAGS = {"not_the_role": ("提交人无此职务", "Sent by somebody without that role")}


class ExifClaims(Shape):
    """What the file says of itself: claims, never facts."""

    taken = shapes.text("拍摄时间", "Taken", limit=80)
    make = shapes.text("厂商", "Make", limit=80)
    model = shapes.text("型号", "Model", limit=80)
    position = shapes.position("位置", "Position")


class Bytes(Shape):
    """What photos and signatures declare of their bytes; evidence is frozen once it is set."""

    sha256 = shapes.sha256("SHA-256", "SHA-256", required=True, rule="frozen")
    bytes = shapes.integer("字节数", "Bytes", least=1, required=True, rule="frozen")
    type = shapes.formed("类型", "Type", MEDIA_TYPE, "format", required=True, rule="frozen")
    captured = shapes.moment("采集时间", "Captured", rule="frozen")
    position = shapes.position("位置", "Position", rule="frozen")
    state = shapes.choice("状态", "State", STATES, writers=SERVER)
    content = shapes.choice("内容", "Content", CONTENTS, writers=SERVER)
    width = shapes.integer("宽度", "Width", writers=SERVER)
    height = shapes.integer("高度", "Height", writers=SERVER)


class SignedPart(Shape):
    """X3: a signature as its case remembers it."""

    signature = shapes.record_id("签名", "Signature", required=True)
    part = shapes.choice("身份", "Part", PARTS, required=True)
    customer = shapes.record_id("客户", "Customer")


def photo_schema(parents: tuple[str, ...]) -> type[Shape]:
    """The shape of a photo under records of the kinds ``parents``."""

    class Photo(Bytes):
        """X2: a picture or file, tagged with what it shows."""

        parent_kind = shapes.choice(
            "所属类型", "Parent kind", {kind: (kind, kind) for kind in parents},
            required=True, rule="frozen",
        )  # fmt: skip
        parent = shapes.reference("所属记录", "Parent", *parents, required=True, rule="frozen")
        tag = shapes.choice("内容标签", "Tag", TAGS)
        source = shapes.choice("来源", "Source", SOURCES, required=True, rule="frozen")
        note = shapes.text("说明", "Note", limit=1000)
        preview_sha256 = shapes.sha256("预览 SHA-256", "Preview SHA-256", rule="frozen")
        exif = shapes.inner("EXIF 声明", "EXIF claims", ExifClaims, writers=SERVER)
        flags = shapes.flags(PHOTO_FLAGS)

    return Photo


def signature_schema(parents: tuple[str, ...]) -> type[Shape]:
    """The shape of a signature under records of the kinds ``parents``."""

    class Signature(Bytes):
        """V3, X3: who signed, in which part."""

        parent_kind = shapes.choice(
            "所属类型", "Parent kind", {kind: (kind, kind) for kind in parents},
            required=True, rule="frozen",
        )  # fmt: skip
        parent = shapes.reference("所属记录", "Parent", *parents, required=True, rule="frozen")
        part = shapes.choice("签名身份", "Part", PARTS, required=True, rule="frozen")
        signer = shapes.text("签名人", "Signer", limit=80, required=True, rule="frozen")
        customer = shapes.reference("所属客户", "Customer", "customer", rule="frozen")
        flags = shapes.flags(SIGNATURE_FLAGS)

    return Signature
