#!/usr/bin/env python3
"""Writes Tests/Fixtures/lenses/published: a tuned lens in the published layout, and what it makes of states.

The layout is that of the tuned-lens package: torch.save of the state dict of a list of Linear layers (`params.pt`), and
config.json. It is for the model Tests/Fixtures/tree/models/llama-six-layers. The expected values are plain torch in float64.
"""

import json
import pathlib

import torch

here = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "Fixtures"
model = json.loads((here / "tree/models/llama-six-layers/config.json").read_text())
width, layers = model["hidden_size"], model["num_hidden_layers"]
folder = here / "lenses" / "published"
folder.mkdir(parents=True, exist_ok=True)

torch.manual_seed(11)
translators = torch.nn.ModuleList([torch.nn.Linear(width, width) for _ in range(layers)])
torch.save(translators.state_dict(), folder / "params.pt")
(folder / "config.json").write_text(
    json.dumps(
        {
            "base_model_name_or_path": "example/llama-six-layers",
            "d_model": width,
            "num_hidden_layers": layers,
            "bias": True,
            "base_model_revision": None,
            "unembed_hash": None,
            "lens_type": "linear_tuned_lens",
        },
        indent=1,
    )
    + "\n"
)
states = torch.randn(3, width, dtype=torch.float64)
translators = translators.double()
with torch.no_grad():
    expected = [(states + translator(states)).flatten().tolist() for translator in translators]
(folder / "expected.json").write_text(
    json.dumps({"made": {"torch": torch.__version__}, "states": states.flatten().tolist(), "translated": expected})
)
