"""What the pages of links say, in both languages. Words only."""

from collections.abc import Mapping

from flask import request

from server.errors import LANGUAGES, Words
from server.services import services

WORDS: Mapping[str, Words] = {
    "due": Words("截止时间", "Until"),
    "left": Words("还剩", "Left"),
    "days": Words("{0} 天 {1} 小时", "{0} d {1} h"),
    "hours": Words("{0} 小时 {1} 分", "{0} h {1} min"),
    "minutes": Words("{0} 分钟", "{0} min"),
    "goods": Words("涉及的货物", "The goods"),
    "copies": Words("现场照片（副本）", "Photos of them (copies)"),
    "copy": Words("现场照片 {0}：{1}", "Photo {0}: {1}"),
    "text": Words("说明", "What you want to say"),
    "camera": Words("拍照", "Take a photo"),
    "gallery": Words("选择照片或 PDF", "Choose photos or PDF"),
    "chosen": Words("已选照片", "Chosen photos"),
    "remove": Words("移除 {0}", "Remove {0}"),
    "hand_in": Words("提交", "Hand in"),
    "handed_in": Words("已提交", "Handed in"),
    "number": Words("回执编号", "Number"),
    "keep": Words(
        "请记下回执编号；电话询问时报此编号。",
        "Note this number; it names what you handed in when you call.",
    ),
    "photos_arrived": Words("照片：服务器已收到 {0} / {1}", "Photos: {0} of {1} received"),
    "more": Words("期限内还可以补充提交。", "You may hand in more until the term ends."),
    "trouble": Words(
        "已保存在本机。暂时无法提交，将自动重试。请保持此页打开。",
        "Saved on this phone. It cannot be handed in just now; it is tried again by itself. "
        "Keep this page open.",
    ),
    "reading": Words("正在读取照片…", "Reading the photo…"),
    "no_room": Words(
        "本机空间不足，未加入：{0}。请先提交已选内容或清理空间，再重新选择。",
        "There is no room on this phone; this was not added: {0}. Hand in what is chosen, "
        "or make room, then choose it again.",
    ),
    "saved": Words("已保存在本机，尚未提交。", "Saved on this phone. Not handed in yet."),
    "not_saved": Words(
        "本机无法保存草稿，请不要关闭此页。",
        "This phone cannot keep a draft; do not close this page.",
    ),
    "waiting": Words(
        "已保存在本机，等待网络后自动提交。请保持此页打开。",
        "Saved on this phone; it is handed in as soon as there is a network. Keep this page open.",
    ),
    "sending": Words("正在提交…", "Handing in…"),
    "sending_photo": Words("正在发送照片 {0} / {1}：{2} %", "Sending photo {0} of {1}: {2} %"),
    "waiting_photos": Words(
        "已提交。照片尚未全部收到，等待网络后自动继续。请保持此页打开。",
        "Handed in. Photos are still missing; sending goes on as soon as there is a network. "
        "Keep this page open.",
    ),
    "all_arrived": Words("全部已由服务器收到。", "The server has received all of it."),
    "photo_refused": Words(
        "有照片在本机已损坏，请重新选择并补充提交。",
        "A photo was damaged on this phone. Choose it again and hand it in.",
    ),
    "photo_late": Words(
        "有照片在期限后到达过晚，没有被接受。",
        "A photo came too long after the term and was not taken.",
    ),
    "too_big": Words("文件过大，最多 {0} MB：{1}", "This file is too large, at most {0} MB: {1}"),
    "too_many_photos": Words("照片过多，最多 {0} 张。", "Too many photos, at most {0}."),
    "unreadable": Words("无法读取：{0}", "This file cannot be read: {0}"),
    "empty": Words("请填写说明或选择照片。", "Say something or choose a photo."),
    "refused": Words("没有被接受：{0}", "It was not taken: {0}"),
    "over": Words("此链接已到期或已被停用", "This link is over"),
    "over_late": Words(
        "现在提交已超过期限，没有被接受。",
        "What is handed in now is too late and is not taken.",
    ),
    "over_kept": Words(
        "您未提交的内容仍保存在本机：",
        "What you did not hand in is still on this phone:",
    ),
    "over_ask": Words(
        "如有疑问，请联系给您此链接的办公室。",
        "If in doubt, ask the office that gave you this link.",
    ),
    "unknown": Words("没有这个链接", "There is no such link"),
    "unknown_check": Words(
        "请检查地址是否完整。", "Check that the address is whole, to its last letter."
    ),
    "one_by_one": Words(
        "照片合计过大，请返回并逐张提交。",
        "Together the photos are too large. Go back and hand them in one by one.",
    ),
    "again": Words("请稍后再试。", "Try again in a while."),
    "language": Words("语言", "Language"),
}
FOR_PURPOSES: Mapping[str, Mapping[str, Words]] = {
    "rebuttal": {
        "title": Words("申诉", "Your answer"),
        "about": Words(
            "有人投诉下列货物出现在不该销售的市场。您可以在期限内提交证据。",
            "Somebody complains that these goods were found in a market where they do not belong. "
            "You may show evidence until the term ends.",
        ),
        "answer": Words("提交证据", "Show evidence"),
        "hint": Words(
            "只有文字而没有照片或单据，不作为证据。",
            "Words alone, without photos or papers, do not count as evidence.",
        ),
    },
    "fault_photos": {
        "title": Words("质量问题：补充照片", "Photos of a fault"),
        "about": Words(
            "下列货物报告了质量问题。请在期限内补充照片。",
            "A fault of these goods was reported. Please add photos of it until the term ends.",
        ),
        "answer": Words("补充照片", "Add photos"),
        "hint": Words(
            "请拍清故障部位、批号和数量。",
            "Show what is wrong, the batch number, and how many pieces there are.",
        ),
    },
}
"""What a page says for one purpose of links, by its name."""
FOR_SCRIPTS = (
    "days", "hours", "minutes", "remove", "number", "photos_arrived", "saved", "not_saved",
    "waiting", "sending", "sending_photo", "waiting_photos", "all_arrived", "photo_refused",
    "photo_late", "trouble", "reading", "no_room", "too_big", "too_many_photos", "unreadable",
    "empty", "refused",
)  # fmt: skip
"""What the page's own script says."""


def language() -> str:
    """What the switch of the page chose, else what the browser asks for, else the office's."""
    chosen = request.args.get("lang")
    if chosen in LANGUAGES:
        return str(chosen)
    return request.accept_languages.best_match(LANGUAGES) or services().settings.language


def say(name: str, *values: object) -> str:
    """The sentence ``name`` in the language of this page."""
    return WORDS[name].say(language()).format(*values)


def say_for(purpose: str, name: str) -> str:
    """The same of a sentence that only pages for ``purpose`` say."""
    return FOR_PURPOSES[purpose][name].say(language())


def for_scripts() -> dict[str, str]:
    """The sentences that the page's script needs, by name."""
    return {name: WORDS[name].say(language()) for name in FOR_SCRIPTS}
