"""Codes that several kinds share, with their words in zh and en. Data only."""

POSITION_FLAGS = {
    "far": ("距客户较远", "Far from the customer"),
    "stale_position": ("定位过旧", "Old position"),
    "mocked": ("模拟定位", "Mocked position"),
}
"""V3: flags that a measured position can earn."""

CLAIM_FLAGS = {"claim_duplicate": ("可能重复", "Likely entered twice")}
"""K2, R1: flags of records that hold claim keys."""

REVIEW_FLAGS = {"changed_after_decision": ("审核后有改动", "Changed after the decision")}
"""B2: flags of every reviewed record."""

PHOTO_FLAGS = {
    "gallery": ("来自相册", "From the gallery"),
    "stale_position": POSITION_FLAGS["stale_position"],
    "mocked": POSITION_FLAGS["mocked"],
}
"""X2: flags of a photo."""

BYTES_FLAGS = {
    "bytes_missing": ("文件曾缺失", "Bytes were found missing"),
    "bytes_differ": ("文件曾与哈希不符", "Bytes were found changed"),
}
"""M4: what reading the stored bytes again has found; said once, it stays said."""

PHOTO_ADVICE = {
    "blurred": ("模糊", "Blurred"),
    "dark": ("过暗", "Dark"),
    "too_bright": ("过曝", "Too bright"),
}
"""What a photo looks like by itself: advice to take it again, never a refusal."""

CASE_FLAGS = {
    **PHOTO_FLAGS,
    **REVIEW_FLAGS,
    "changed_after_signing": ("签名后有改动", "Changed after the signatures"),
}
"""X2, X3: flags of a case; those of its photos show on it."""

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
"""X2: what a photo shows."""

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
"""V3, X3: in which part somebody signs."""

UNITS = {
    "piece": ("件", "Piece"),
    "box": ("盒", "Box"),
    "bottle": ("瓶", "Bottle"),
    "bag": ("袋", "Bag"),
    "can": ("罐", "Can"),
}
"""X1, X13: what goods are counted in; ``piece`` (件) is what rules compare."""
