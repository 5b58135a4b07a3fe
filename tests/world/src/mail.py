"""Reads mails (files named on the command line) and prints them as one JSON array; MIME is Python's business."""

import email
import email.policy
import json
import sys

mails = []
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        envelope = json.loads(file.readline())
        raw = file.read()
    message = email.message_from_bytes(raw, policy=email.policy.default)

    def body(kind):
        part = message.get_body(preferencelist=(kind,))
        return part.get_content() if part is not None else ""

    mails.append(
        {
            "from": envelope["from"],
            "to": envelope["to"],
            "subject": str(message.get("Subject", "")),
            "message_id": str(message.get("Message-ID", "")),
            "headers": [[name, str(value)] for name, value in message.items()],
            "text": body("plain"),
            "html": body("html"),
            "raw": raw.decode("utf-8", "replace"),
        }
    )
json.dump(mails, sys.stdout)
