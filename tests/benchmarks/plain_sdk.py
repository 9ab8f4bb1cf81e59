"""The baseline: what a user of the openai SDK writes to stream one completion."""

import openai

client = openai.OpenAI()
stream = client.chat.completions.create(
    model="gpt-6-luna",
    messages=[
        {"role": "system", "content": "Translate into French."},
        {"role": "user", "content": "Hello"},
    ],
    stream=True,
)
for chunk in stream:
    if chunk.choices and chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end="", flush=True)
print()
