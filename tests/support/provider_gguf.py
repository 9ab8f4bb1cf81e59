"""A tiny model with random weights, as a GGUF file."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy

WIDTH, HEADS, LAYERS, INNER = 32, 2, 2, 64
UNKNOWN, CONTROL, NORMAL, BYTE = 2, 3, 1, 6
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"


def write_model(path: Path, context: int = 512, template: str = TEMPLATE) -> Path:
    """A llama of 160 KB that knows bytes, letters and a few words, and says them at random."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    kinds = [UNKNOWN, CONTROL, CONTROL, *[BYTE] * 256]
    words = [
        *"abcdefghijklmnopqrstuvwxyz",
        *(f"▁{word}" for word in ["the", "a", "of", "to", "is", "hello", "world"]),
    ]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(context)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens) + len(words))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens + words)
    writer.add_token_scores([0.0] * len(tokens) + [-1.0 - rank for rank in range(len(words))])
    writer.add_token_types(kinds + [NORMAL] * len(words))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(template)
    _add_weights(writer, len(tokens) + len(words))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_weights(writer: gguf.GGUFWriter, vocabulary: int) -> None:
    dice = numpy.random.default_rng(1)
    shapes = {"token_embd": (vocabulary, WIDTH), "output": (vocabulary, WIDTH), "output_norm": (WIDTH,)}
    for block in range(LAYERS):
        square = {f"attn_{name}": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
        feed = {"ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH), "ffn_down": (WIDTH, INNER)}
        norms = {"attn_norm": (WIDTH,), "ffn_norm": (WIDTH,)}
        shapes |= {f"blk.{block}.{name}": shape for name, shape in (square | feed | norms).items()}
    for name, shape in shapes.items():
        weights = numpy.ones(shape) if len(shape) == 1 else dice.standard_normal(shape) * 0.1
        writer.add_tensor(f"{name}.weight", weights.astype(numpy.float32))
