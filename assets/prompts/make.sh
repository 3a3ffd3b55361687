#!/bin/sh
# Regenerates the spoken prompts of the stand-in model: 16 kHz, 16 bit, mono, silence trimmed at both ends.
# Needs espeak-ng and sox. The texts must match `src/sandbox/model/prompts.rs`.
set -eu
cd "$(dirname "$0")"

say() {
    espeak-ng -v en-us -s 170 -p 45 --stdout "$2" |
        sox -t wav - -b 16 -r 16000 -c 1 "$1.wav" gain -n -6 silence 1 0.02 0.4% reverse silence 1 0.02 0.4% reverse pad 0 0.05
}

say greeting "Hello, this is Clearline. How can I help you?"
say answer_one "I understand. Please tell me a little more."
say answer_two "Thank you, I have noted that down."
say moment "One moment, please."
say result "Done, that is settled."
say goodbye "Thank you for calling. Goodbye."
say apology "I am sorry, something went wrong. Please call again later."
