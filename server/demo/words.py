"""What the demonstration says to people, in zh and en. Text only."""

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    "found": (
        "公司已建立：{regions} 个区域，{people} 位同事，{customers} 个客户。",
        "A company is founded: {regions} regions, {people} people, {customers} customers.",
    ),
    "fresh": (
        "数据位于 {folder}；每次演示都从头开始。产品、批号和发货记录见其中的 master.json，"
        "演示未将其导入。",
        "Its data is in {folder}; each demonstration starts afresh there. Products, batches and"
        " shipments are in master.json there; the demonstration does not import them.",
    ),
    "offline": (
        "{devices} 台设备离线工作：拜访、报告、票据、窜货查证、照片和签名。",
        "{devices} devices work offline: visits, reports, receipts, a case, photos, signatures.",
    ),
    "cut": (
        "一台设备的连接被切断 {cuts} 次，上传从断点继续。",
        "The connection of one device was cut {cuts} times; its uploads went on from there.",
    ),
    "synced": (
        "{name}：已保存 {saved} 项更改，已同步；冲突 {conflicts}，被拒 {rejected}",
        "{name}: {saved} changes saved, synced; conflicts {conflicts}, refused {rejected}",
    ),
    "not_synced": (
        "{name}：已保存 {saved} 项更改，未同步（{reason}）；冲突 {conflicts}，被拒 {rejected}",
        "{name}: {saved} changes saved, not synced ({reason});"
        " conflicts {conflicts}, refused {rejected}",
    ),
    "reviewed": (
        "后台已审核：通过 {accepted}，退回 {returned}，驳回 {rejected}；其余仍在待办中。",
        "The office reviewed: accepted {accepted}, returned {returned}, rejected {rejected};"
        " the rest still waits.",
    ),
    "verdicts": (
        "设备已看到 {verdicts} 个审核结论。",
        "The devices have seen {verdicts} verdicts.",
    ),
    "counted": (
        "逐项核对：更改 {mutations}，照片 {photos_verified}，冲突 {conflicts}，被拒并保留"
        " {rejected}，等待 {waiting}，丢失 {lost}。",
        "Counted one by one: {mutations} changes, {photos_verified} photos, {conflicts}"
        " conflicts, {rejected} refused and kept, {waiting} waiting, {lost} lost.",
    ),
    "lost": ("丢失：{name}", "LOST: {name}"),
    "address": ("地址：{url}", "Address: {url}"),
    "logins": ("登录（密码均为 {password}）：", "Logins (the password is {password} for all):"),
    "pause": ("按回车键开始清点。", "Press Enter to count."),
    "stay": ("按 Ctrl-C 结束。", "Press Ctrl-C to end."),
    "not_a_demo": (
        "{folder} 不是演示数据，未作任何改动。请用 --data 指定空文件夹。",
        "{folder} is not a demonstration's folder; nothing in it was touched."
        " Name an empty one with --data.",
    ),
    "in_use": (
        "{folder} 中已有演示在运行。请先结束它，或用 --data 指定其他文件夹。",
        "A demonstration already runs in {folder}. End it first, or name another with --data.",
    ),
    "no_photos": (
        "{folder} 中没有照片。",
        "There are no pictures in {folder}.",
    ),
    "failed": ("演示未能完成：{reason}", "The demonstration did not come to its end: {reason}"),
}


def say(key: str, language: str, **values: object) -> str:
    """The text ``key`` in zh where ``language`` starts so, otherwise in en."""
    zh, en = TEXTS[key]
    return (zh if language.startswith("zh") else en).format(**values)
