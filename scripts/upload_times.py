"""Of what the CRM's stand-in has received (standard input): how long after each call's end it was there."""

import json
import sys
from datetime import datetime


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


received = json.load(sys.stdin)
print("after the call's end, seconds: recording taken, all told")
for call_id, told in received["calls"].items():
    details = told["callDetails"]
    # The load test's last calls are hung up at once: there is nothing to record.
    if details["status"] != "completed" or not details["recordingSize"]:
        continue
    ended = moment(details["endTime"])
    after = [
        (moment(received["taken"][f"{call_id}/{step}"]) - ended).total_seconds()
        for step in ("recording", "call-data")
    ]
    print(f"{details['duration']:>6} s long, {details['recordingSize']:>9} bytes: {after[0]:.2f} {after[1]:.2f}")
