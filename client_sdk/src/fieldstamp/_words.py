"""What is said to people about codes and states, in Chinese and English. Words only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """What is the case and what a person can do, each in both languages."""

    zh: str
    en: str
    zh_action: str
    en_action: str


def is_chinese(language: str) -> bool:
    """Whether a language tag asks for Chinese; anything else is told in English."""
    return language.lower().startswith("zh")


def reason(code: str, language: str) -> str | None:
    """What ``code`` means, or None where there are no words for it."""
    words = WORDS.get(code)
    if words is None:
        return None
    return words.zh if is_chinese(language) else words.en


def action(code: str, language: str) -> str | None:
    """What a person can do about ``code``, or None where there are no words for it."""
    words = WORDS.get(code)
    if words is None:
        return None
    return words.zh_action if is_chinese(language) else words.en_action


WORDS = {
    "ready": Words(
        "等待下次同步",
        "waits for the next sync",
        "无需操作，下次同步时发送。",
        "Nothing; it is sent at the next sync.",
    ),
    "waiting": Words(
        "服务器已保留，等待其引用的内容到达",
        "the server keeps it until what it refers to arrives",
        "无需操作，每次同步都会再次发送。",
        "Nothing; it is sent again at each sync.",
    ),
    "aside": Words(
        "服务器未能接收",
        "the server could not take it in",
        "每次同步都会重试；如仍存在请上报，内容已保留。",
        "It is tried again at each sync. If it stays, report it; it is kept.",
    ),
    "bad_ack": Words(
        "答复没有本设备所知服务器的签名",
        "the answer was not signed by the server this device knows",
        "请再次同步；如仍存在请上报，内容已保留。",
        "Sync again. If it stays, report it; it is kept.",
    ),
    "too_large": Words(
        "超出服务器允许的大小",
        "it is larger than the server takes",
        "请拆分后重新保存，原内容已保留。",
        "Save it again in smaller parts; this one is kept.",
    ),
    "held": Words(
        "所属记录尚未到达服务器",
        "its record has not reached the server yet",
        "无需操作，将随记录发送。",
        "Nothing; it follows its record.",
    ),
    "sending": Words(
        "正在上传",
        "its bytes are on their way",
        "无需操作，将从中断处继续。",
        "Nothing; it goes on where it stopped.",
    ),
    "sent": Words(
        "服务器尚未确认文件",
        "the server has not confirmed the bytes yet",
        "请稍后再次同步。",
        "Sync again later.",
    ),
    "blocked": Words(
        "途中的网络设备拒绝了此内容",
        "something between this device and the server refuses it",
        "请换一个网络再次同步；如仍存在请上报，内容已保留。",
        "Sync again on another network. If it stays, report it; it is kept.",
    ),
    "damaged": Words(
        "本机文件与封存时不一致",
        "the file on this device no longer has the bytes that were sealed",
        "请勿删除任何内容，并上报。",
        "Do not delete anything and report this.",
    ),
    "refused": Words(
        "服务器多次拒收该文件",
        "the server refused these bytes repeatedly",
        "请检查网络后重试此项。",
        "Check the network, then retry this item.",
    ),
    "rejected": Words(
        "服务器拒绝但已保留",
        "the server refused it and keeps it",
        "请更正后重新保存。",
        "Correct it and save it again.",
    ),
    "store_copied": Words(
        "此存储被复制或从旧备份恢复",
        "this store was copied or restored from an older copy",
        "请注册新设备；此处保存的内容都已保留并会发送。",
        "Enrol a new device; everything saved here is kept and sent.",
    ),
    "login_needed": Words(
        "尚未登录",
        "nobody is logged in",
        "请重新登录，所有内容均已保留。",
        "Log in again; everything is kept.",
    ),
    "offline": Words(
        "没有网络连接",
        "there is no connection",
        "内容已保存在本机，有网络时再同步。",
        "Everything is kept on this device. Sync again when there is a connection.",
    ),
    "timeout": Words(
        "服务器未及时答复",
        "no answer came in time",
        "内容已保存在本机，请稍后再同步。",
        "Everything is kept on this device. Sync again later.",
    ),
    "portal": Words(
        "当前网络要求先登录或不是本服务器",
        "this network asks for a login first, or this is not the server",
        "请先打开网页登录该网络，再同步。",
        "Open a web page to log in to this network, then sync again.",
    ),
    "server_busy": Words(
        "服务器繁忙",
        "the server is busy",
        "内容已保留，请稍后再同步。",
        "Everything is kept. Sync again later.",
    ),
    "not_due": Words(
        "下一次自动同步时间未到",
        "the next try is due later",
        "无需操作，稍后会再次同步。",
        "Nothing; it is tried again later.",
    ),
    "server_error": Words(
        "服务器出错",
        "the server failed",
        "内容已保留，请稍后再同步。",
        "Everything is kept. Sync again later.",
    ),
    "receiving": Words(
        "服务器还有内容待发送",
        "the server has more to send",
        "请再次同步。",
        "Sync again.",
    ),
    "pending": Words(
        "仍有内容未完成",
        "something is still on its way",
        "请稍后再次同步。",
        "Sync again later.",
    ),
    "digest_mismatch": Words(
        "本机内容与服务器不一致",
        "this device holds something else than the server says",
        "请再次同步；如仍存在请上报。",
        "Sync again; if it stays, report it.",
    ),
    "not_enrolled": Words(
        "此设备尚未注册",
        "this device is not enrolled",
        "请在联网时登录一次。",
        "Log in once while connected.",
    ),
    "device_revoked": Words(
        "此设备已被停用",
        "this device was taken out of use",
        "请保持联网直到全部上交，然后归还设备。",
        "Leave the device connected until everything is handed in, then return it.",
    ),
    "app_too_old": Words(
        "应用版本过旧",
        "this program is too old",
        "请更新；已保存的内容仍会上交。",
        "Update it. What is saved here is still handed in.",
    ),
    "store_busy": Words(
        "其他程序正在使用此存储",
        "another program is using this store",
        "请等待其结束后重试。",
        "Wait for it, then try again.",
    ),
    "storage_full": Words(
        "本机空间不足",
        "there is no space left on this device",
        "请清理空间后重新保存，之前的内容已保留。",
        "Free some space and save again. What was saved before is kept.",
    ),
}
