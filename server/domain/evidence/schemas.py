"""The shapes of a photo (PROTOCOL *Photos*, X2) and of a signature (V3, X3). Shapes only."""

from server.domain import shapes
from server.domain.shapes import OFFICE, SERVER, Names, Shape
from server.domain.vocabulary import BYTES_FLAGS, PARTS, PHOTO_ADVICE, PHOTO_FLAGS, TAGS

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
REASONS = {
    "empty": ("空文件", "Empty"),
    "not_a_picture": ("不是可识别的图片", "No picture of a known format"),
    "opaque": ("音视频不解码", "Audio and video are not opened"),
    "needs_heic": ("服务器未安装 HEIC 支持", "This server lacks support for HEIC"),
    "too_many_pixels": ("像素过多", "Too many pixels"),
    "too_many_frames": ("帧数过多", "Too many frames"),
    "too_many_pages": ("页数过多", "Too many pages"),
    "locked": ("有密码", "Locked by a password"),
    "broken": ("文件已损坏", "The file is broken"),
    "memory": ("解码所需内存过多", "Needs too much memory"),
    "time": ("解码所需时间过长", "Takes too much time"),
    "ended": ("解码程序中止", "The decoder gave up"),
}
"""Why there is no preview; the bytes are kept whatever it is."""
DROPPED = {
    "format": ("格式不符", "No value of its kind"),
    "range": ("超出范围", "Out of range"),
    "zero": ("为零", "Zero"),
}
MEDIA_TYPE = "^[a-z0-9][a-z0-9_.+-]{0,62}/[a-z0-9][a-z0-9_.+-]{0,62}$"
SIGNATURE_FLAGS = {
    "not_the_role": ("提交人无此职务", "Sent by somebody without that role"),
    **BYTES_FLAGS,
}


class DroppedClaim(Shape):
    """A claim that made no sense, and why."""

    claim = shapes.text("声明", "Claim", limit=80, required=True)
    why = shapes.choice("原因", "Why", DROPPED, required=True)


class ExifClaims(Shape):
    """What the file says of itself: claims, never facts."""

    taken = shapes.text("拍摄时间", "Taken", limit=80)
    make = shapes.text("厂商", "Make", limit=80)
    model = shapes.text("型号", "Model", limit=80)
    software = shapes.text("软件", "Software", limit=80)
    position = shapes.position("位置", "Position")
    dropped = shapes.listing(
        "不合理而未采用", "Dropped as senseless", shapes.inner("声明", "Claim", DroppedClaim)
    )


class Bytes(Shape):
    """What photos and signatures declare of their bytes; evidence is frozen once it is set."""

    sha256 = shapes.sha256("SHA-256", "SHA-256", required=True, rule="frozen")
    bytes = shapes.integer("字节数", "Bytes", least=1, required=True, rule="frozen")
    type = shapes.formed("类型", "Type", MEDIA_TYPE, "format", required=True, rule="frozen")
    captured = shapes.moment("采集时间", "Captured", rule="frozen")
    position = shapes.position("位置", "Position", rule="frozen")
    state = shapes.choice("状态", "State", STATES, writers=SERVER)
    content = shapes.choice("内容", "Content", CONTENTS, writers=SERVER)
    content_type = shapes.text("实际类型", "Type by its bytes", limit=80, writers=SERVER)
    content_reason = shapes.choice("原因", "Reason", REASONS, writers=SERVER)
    width = shapes.integer("宽度", "Width", writers=SERVER)
    height = shapes.integer("高度", "Height", writers=SERVER)
    frames = shapes.integer("帧数或页数", "Frames or pages", writers=SERVER)


def photo_schema(parents: Names) -> type[Shape]:
    """The shape of a photo under records of the kinds ``parents``."""

    class Photo(Bytes):
        """X2: a picture or file, tagged with what it shows."""

        parent_kind = shapes.choice(
            "所属类型", "Parent kind", parents,
            required=True, rule="frozen",
        )  # fmt: skip
        parent = shapes.reference("所属记录", "Parent", *parents, required=True, rule="frozen")
        tag = shapes.choice("内容标签", "Tag", TAGS)
        source = shapes.choice("来源", "Source", SOURCES, required=True, rule="frozen")
        note = shapes.text("说明", "Note", limit=1000)
        guidance = shapes.text(
            "指导", "Guidance", limit=1000, writers=OFFICE, rule="authority", owner="office"
        )
        preview_sha256 = shapes.sha256("预览 SHA-256", "Preview SHA-256", rule="frozen")
        sharpness = shapes.integer("清晰度", "Sharpness", writers=SERVER)
        brightness = shapes.integer("亮度", "Brightness", writers=SERVER)
        exif = shapes.inner("EXIF 声明", "EXIF claims", ExifClaims, writers=SERVER)
        flags = shapes.flags({**PHOTO_FLAGS, **PHOTO_ADVICE, **BYTES_FLAGS})

    return Photo


def signature_schema(parents: Names) -> type[Shape]:
    """The shape of a signature under records of the kinds ``parents``."""

    class Signature(Bytes):
        """V3, X3: who signed, in which part."""

        parent_kind = shapes.choice(
            "所属类型", "Parent kind", parents,
            required=True, rule="frozen",
        )  # fmt: skip
        parent = shapes.reference("所属记录", "Parent", *parents, required=True, rule="frozen")
        part = shapes.choice("签名身份", "Part", PARTS, required=True, rule="frozen")
        signer = shapes.text("签名人", "Signer", limit=80, required=True, rule="frozen")
        customer = shapes.reference("所属客户", "Customer", "customer", rule="frozen")
        flags = shapes.flags(SIGNATURE_FLAGS)

    return Signature
