"""What gateways answer, as each documents it; numbers and ids are examples."""

from __future__ import annotations

from connector.ports import Fate

NUMBER, TEXT = "+491701234567", "Grüße: https://p.example/s/0123456789abcdef"

TWILIO_TAKEN = {
    "sid": "SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "status": "queued",
    "to": NUMBER,
    "body": TEXT,
    "error_code": None,
    "error_message": None,
}
VONAGE_TAKEN = {
    "message-count": "1",
    "messages": [{"to": NUMBER[1:], "message-id": "0C000000217B7F02", "status": "0", "network": "23410"}],
}
CLICKSEND_TAKEN = {
    "http_code": 200,
    "response_code": "SUCCESS",
    "response_msg": "Messages queued for delivery.",
    "data": {"queued_count": 1, "messages": [{"to": NUMBER, "message_id": "BF7AD270", "status": "SUCCESS"}]},
}
SEVEN_TAKEN = {
    "success": "100",
    "total_price": 0.075,
    "messages": [{"id": "77149843739", "recipient": NUMBER[1:], "success": True, "error": None, "error_text": None}],
}
ELKS_TAKEN = {"id": "s70df59406a1b4643b96f3f91e0bfb7b0", "status": "created", "direction": "outgoing", "to": NUMBER}
GENERIC_TAKEN = {"id": "m-1", "status": "queued"}


def twilio_error(code: int) -> dict[str, object]:
    return {"code": code, "message": f"The number {NUMBER} is wrong", "more_info": "https://…", "status": 400}


def vonage_error(status: str) -> dict[str, object]:
    return {"message-count": "1", "messages": [{"status": status, "error-text": f"not {NUMBER}"}]}


def clicksend_error(status: str) -> dict[str, object]:
    message = {"to": NUMBER, "message_id": "BF7AD270", "status": status}
    return {"http_code": 200, "response_code": "SUCCESS", "data": {"messages": [message]}}


def seven_error(code: str) -> dict[str, object]:
    message = {"id": None, "recipient": NUMBER[1:], "success": False, "error": code, "error_text": f"no {NUMBER}"}
    return {"success": "101", "messages": [message]}


# How a gateway is named, its status and answer, and what that means.
CASES: tuple[tuple[str, int, object, Fate], ...] = (
    ("twilio", 201, TWILIO_TAKEN, Fate.ACCEPTED),
    ("twilio", 400, twilio_error(21211), Fate.REFUSED),
    ("twilio", 400, twilio_error(21610), Fate.REFUSED),
    ("twilio", 400, twilio_error(21606), Fate.PUT_OFF),
    ("twilio", 404, {"code": 20404}, Fate.PUT_OFF),
    ("twilio", 201, TWILIO_TAKEN | {"status": "failed", "error_code": 30006}, Fate.REFUSED),
    ("twilio", 200, {}, Fate.UNKNOWN),
    ("vonage", 200, VONAGE_TAKEN, Fate.ACCEPTED),
    ("vonage", 200, vonage_error("6"), Fate.REFUSED),
    ("vonage", 200, vonage_error("1"), Fate.PUT_OFF),
    ("vonage", 200, vonage_error("4"), Fate.PUT_OFF),
    ("vonage", 200, vonage_error("9"), Fate.PUT_OFF),
    ("vonage", 200, vonage_error("5"), Fate.UNKNOWN),
    (
        "vonage",
        200,
        {"messages": [*VONAGE_TAKEN["messages"], *vonage_error("6")["messages"]]},  # type: ignore[misc]  # JSON
        Fate.UNKNOWN,
    ),
    ("vonage", 200, "OK", Fate.UNKNOWN),
    ("clicksend", 200, CLICKSEND_TAKEN, Fate.ACCEPTED),
    ("clicksend", 200, clicksend_error("INVALID_RECIPIENT"), Fate.REFUSED),
    ("clicksend", 200, clicksend_error("INSUFFICIENT_CREDIT"), Fate.PUT_OFF),
    ("clicksend", 200, clicksend_error(f"not {NUMBER}"), Fate.UNKNOWN),
    ("clicksend", 400, {"http_code": 400, "response_code": "BAD_REQUEST"}, Fate.PUT_OFF),
    ("clicksend", 200, {"response_code": "SUCCESS"}, Fate.UNKNOWN),
    ("seven", 200, SEVEN_TAKEN, Fate.ACCEPTED),
    ("seven", 200, seven_error("202"), Fate.REFUSED),
    ("seven", 200, {"success": "500"}, Fate.PUT_OFF),
    ("seven", 200, "900", Fate.PUT_OFF),
    ("seven", 200, {"success": "402"}, Fate.UNKNOWN),
    ("seven", 200, {"success": "700"}, Fate.UNKNOWN),
    ("46elks", 200, ELKS_TAKEN, Fate.ACCEPTED),
    ("46elks", 400, "Invalid to number", Fate.REFUSED),
    ("46elks", 403, "Not allowed to send from that name", Fate.PUT_OFF),
    ("46elks", 200, ELKS_TAKEN | {"status": "failed"}, Fate.REFUSED),
    ("46elks", 200, "created", Fate.UNKNOWN),
    ("json", 200, GENERIC_TAKEN, Fate.ACCEPTED),
    ("json", 200, {"error": f"no {NUMBER}"}, Fate.REFUSED),
    ("form", 200, {"success": False}, Fate.REFUSED),
    ("form", 200, "OK 1234", Fate.UNKNOWN),
    ("form", 422, "", Fate.REFUSED),
    ("form", 404, "", Fate.PUT_OFF),
)
# What any gateway may answer to a text that it has not taken, with a status of success.
ERRORS: tuple[dict[str, object], ...] = (
    {"status": "error", "message": "invalid number"},
    {"status": "FAILED"},
    {"success": "false"},
    {"success": 0},
    {"ok": False},
    {"code": 401, "message": "no credit"},
    {"errorCode": 12},
    {"error_code": "21211"},
    {"messages": [{"status": "rejected"}]},
    {"result": "NOK"},
    {"Error": "x"},
    {"fault": {"x": 1}},
    {"data": {"message": {"state": "Not-Delivered"}}},
    {"errors": [{"title": "unknown recipient"}]},
)
# These mean the same everywhere.
EVERYWHERE: tuple[tuple[int, Fate], ...] = (
    (301, Fate.PUT_OFF),
    (307, Fate.PUT_OFF),
    (401, Fate.PUT_OFF),
    (402, Fate.PUT_OFF),
    (429, Fate.PUT_OFF),
    (503, Fate.PUT_OFF),
    (408, Fate.UNKNOWN),
    (500, Fate.UNKNOWN),
    (502, Fate.UNKNOWN),
    (504, Fate.UNKNOWN),
)
