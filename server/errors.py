"""Problem and the ONE table of problem codes, with their words in Chinese and English.

Nothing here knows HTTP frameworks: ``api/problem.py`` turns a Problem into an answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass

LANGUAGES = ("zh-CN", "en")


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence in each language."""

    zh: str
    en: str

    def say(self, language: str) -> str:
        """The sentence in ``language``; English for any but Chinese."""
        return self.zh if language.startswith("zh") else self.en


@dataclass(frozen=True, slots=True)
class ProblemType:
    """What a code means: HTTP status, what happened, what a person can do."""

    status: int
    title: Words
    action: Words
    retryable: bool = False


AGAIN = Words("稍后会自动重试。", "It is tried again by itself.")
MEND = Words("改正标出的内容后再发送。", "Correct what is named and send it again.")
SIGN_IN = Words("请重新登录，数据不会丢失。", "Sign in again; nothing is lost.")
TELL_OFFICE = Words("请联系管理员，数据已保留。", "Ask your administrator; what you sent is kept.")
NOTHING = Words("无需操作。", "Nothing needs to be done.")
NEW_CODE = Words("请向管理员索取新的注册码。", "Ask your administrator for a new code.")

CODES: Mapping[str, ProblemType] = {
    "bad_json": ProblemType(
        400, Words("请求不是有效的 JSON。", "The body is not valid JSON."), MEND
    ),
    "bad_request": ProblemType(
        400, Words("请求无法理解。", "The request cannot be understood."), MEND
    ),
    "unauthenticated": ProblemType(401, Words("登录已失效。", "You are not signed in."), SIGN_IN),
    "bad_login": ProblemType(
        401, Words("用户名或密码不正确。", "The name or the password is wrong."), SIGN_IN
    ),
    "bad_proof": ProblemType(
        401, Words("设备签名不正确。", "The device's proof is wrong."), SIGN_IN
    ),
    "token_spent": ProblemType(
        401, Words("刷新令牌已被使用。", "This token was used up."), SIGN_IN
    ),
    "forbidden": ProblemType(403, Words("您没有此权限。", "You may not do this."), TELL_OFFICE),
    "device_revoked": ProblemType(
        403, Words("此设备已被停用。", "This device was revoked."), TELL_OFFICE
    ),
    "not_found": ProblemType(404, Words("没有找到。", "There is no such thing."), NOTHING),
    "method_not_allowed": ProblemType(
        405, Words("不支持此方法。", "This method is not served."), MEND
    ),
    "not_acceptable": ProblemType(406, Words("无法提供此格式。", "That form is not served."), MEND),
    "code_unusable": ProblemType(
        403,
        Words("注册码不正确、已使用或已过期。", "The code is wrong, used or expired."),
        NEW_CODE,
    ),
    "device_taken": ProblemType(
        409,
        Words("此设备编号属于其他用户或密钥。", "That device id belongs to another user or key."),
        TELL_OFFICE,
    ),
    "wrong_state": ProblemType(409, Words("其他人已先处理。", "Somebody else was first."), MEND),
    "offset_mismatch": ProblemType(
        409, Words("上传位置不一致。", "The offset does not match."), AGAIN, retryable=True
    ),
    "upload_gone": ProblemType(
        410, Words("该上传已不存在。", "That upload is gone."), AGAIN, retryable=True
    ),
    "link_over": ProblemType(
        410,
        Words("此链接已到期或已被停用。", "This link is over."),
        Words(
            "请联系给您链接的办公室；未提交的内容仍保存在您的手机上。",
            "Ask the office that gave it to you; what was not handed in is still on your phone.",
        ),
    ),
    "tus_version": ProblemType(
        412, Words("不支持该上传协议版本。", "That upload protocol version is not served."), MEND
    ),
    "too_large": ProblemType(413, Words("内容过大。", "It is too large."), MEND),
    "unsupported_media": ProblemType(
        415, Words("不支持该内容类型。", "That content type is not taken."), MEND
    ),
    "range_not_satisfiable": ProblemType(
        416, Words("请求的范围超出内容长度。", "That range lies beyond the end."), MEND
    ),
    "validation": ProblemType(422, Words("内容有误。", "Some values are wrong."), MEND),
    "app_too_old": ProblemType(
        426,
        Words("应用版本过旧，仍可上传数据。", "The app is too old; it can still hand in work."),
        Words("请更新应用。", "Update the app."),
    ),
    "too_many": ProblemType(
        429, Words("请求过于频繁。", "Too many requests."), AGAIN, retryable=True
    ),
    "checksum_mismatch": ProblemType(
        460, Words("数据校验不一致。", "The checksum does not match."), AGAIN, retryable=True
    ),
    "internal": ProblemType(
        500,
        Words("服务器出错，数据未受影响。", "The server failed; nothing was changed."),
        AGAIN,
        retryable=True,
    ),
    "unavailable": ProblemType(
        503, Words("服务器繁忙。", "The server is busy."), AGAIN, retryable=True
    ),
    "disk_full": ProblemType(
        507, Words("服务器空间不足。", "The server has no room left."), AGAIN, retryable=True
    ),
    # Outcomes of mutations: they stand in results, never as the status of an answer.
    "field_owner": ProblemType(
        422, Words("该字段由后台填写。", "The office writes this field."), MEND
    ),
    "id_taken": ProblemType(422, Words("编号已被使用。", "That id is in use."), TELL_OFFICE),
    "mutation_reused": ProblemType(
        422,
        Words("同一编号已用于其他内容。", "That mutation id was used for other content."),
        TELL_OFFICE,
    ),
    "unknown_reference": ProblemType(
        422, Words("引用的记录不存在。", "What it refers to never arrived."), MEND
    ),
    "depends_on_rejected": ProblemType(
        422, Words("所依据的记录被拒绝。", "What it builds on was refused."), MEND
    ),
    "moved": ProblemType(
        422,
        Words("该记录已移交他人。", "That record is no longer yours."),
        TELL_OFFICE,
    ),
    "group": ProblemType(
        422, Words("同组内容被拒绝。", "Another item of its group was refused."), MEND
    ),
}

FIELD_WORDS: Mapping[str, Words] = {
    "required": Words("必填", "is needed"),
    "null": Words("不能为空值，请使用 unset", "may not be null; use unset"),
    "type": Words("类型不正确", "has the wrong type"),
    "unknown": Words("未知字段", "is not known"),
    "text": Words("含有不允许的字符", "holds a character that is not allowed"),
    "too_long": Words("不能超过 {0} 个字符", "may have at most {0} characters"),
    "too_short": Words("至少需要 {0} 项或字符", "needs at least {0}"),
    "too_many": Words("不能超过 {0} 项", "may have at most {0} entries"),
    "too_small": Words("不能小于 {0}", "may not be below {0}"),
    "too_big": Words("不能大于 {0}", "may not be above {0}"),
    "choice": Words("不在可选值之内", "is not one of the choices"),
    "taken": Words("已被使用", "is in use already"),
    "format": Words("格式不正确", "has the wrong form"),
    "address": Words("不是可以调用的地址", "is not an address that may be called"),
    "time": Words("时间需带时区偏移", "must be a time with its offset"),
    "date": Words("日期不正确", "must be a date"),
    "decimal": Words("须为十进制数字字符串", "must be a decimal number in a string"),
    "id": Words("编号不正确", "must be an id"),
    "sha256": Words("须为 64 位十六进制", "must be 64 hex digits"),
    "reference": Words("引用的记录类型不符", "refers to the wrong kind of record"),
    "office_only": Words("由后台填写", "is written by the office"),
    "server_only": Words("由服务器填写", "is written by the server"),
    "not_number": Words("数字须为整数且在 2^53 之内", "numbers must be whole and within 2^53"),
    "region": Words("不在您的区域内", "is not one of your regions"),
    "not_in_state": Words("在当前状态下不可行", "is not possible in this state"),
    "not_your_role": Words("不属于您的职责", "is for another role to do"),
    "unsigned": Words("签名不齐，尚未提交", "waits for signatures; it is not submitted yet"),
    "order": Words("不能早于 {0}", "may not be earlier than {0}"),
    "formula": Words("不得以公式符号开头", "may not begin like a formula of a spreadsheet"),
    "repeated": Words("与第 {0} 行重复", "repeats line {0}"),
    "whole": Words("须为整数", "must be a whole number"),
    "number": Words("须为数字", "must be a number"),
    "above": Words("必须大于 {0}", "must be above {0}"),
    "both": Words("不能同时设置与清除", "is both set and unset"),
}


class Problem(Exception):
    """A request as a whole failed. ``code`` is a key of :data:`CODES`.

    ``fields`` maps a field to a key of :data:`FIELD_WORDS`, with parameters after colons
    (``too_long:200``). ``extra`` holds further members of the answer; ``retry_after`` seconds.
    """

    def __init__(
        self,
        code: str,
        *,
        detail: str | None = None,
        fields: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(code if detail is None else f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.fields = dict(fields or {})
        self.extra = dict(extra or {})
        self.retry_after = retry_after

    @property
    def type(self) -> ProblemType:
        """What the code means."""
        return CODES[self.code]


def say_field(code: str, language: str) -> str:
    """The words for a field error such as ``too_long:200``."""
    name, *parameters = code.split(":")
    return FIELD_WORDS[name].say(language).format(*parameters)


def describe(
    code: str, language: str, fields: Mapping[str, str] | None = None
) -> dict[str, object]:
    """The members of a problem that do not depend on the request (RFC 9457 plus ours)."""
    meaning = CODES[code]
    answer: dict[str, object] = {
        "code": code,
        "title": meaning.title.say(language),
        "status": meaning.status,
        "retryable": meaning.retryable,
        "action": meaning.action.say(language),
    }
    if fields:
        answer["fields"] = {name: say_field(text, language) for name, text in fields.items()}
    return answer
