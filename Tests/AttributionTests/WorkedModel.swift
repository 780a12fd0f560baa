import Checkpoints
import Foundation
import LanguageModels
import Tensors
import TestSupport

/// One block, one head, two coordinates, three neurons, no biases and no positions: small enough to be worked out by
/// hand in double.
///
/// Token 0 is (0.4, −1), token 1 (1.2, 0.7) and token 2 (−0.6, 0.5); the logit of token 0 is ⟨(1, −2), ·⟩ of what the
/// final norm leaves.
enum WorkedModel {
  static let clean = [0, 1]
  static let patch = [2, 1]

  private static let weights: [(name: String, shape: [Int], values: [Double])] = [
    ("model.embed_tokens.weight", [3, 2], [0.4, -1, 1.2, 0.7, -0.6, 0.5]),
    ("model.layers.0.input_layernorm.weight", [2], [1, 0.5]),
    ("model.layers.0.post_attention_layernorm.weight", [2], [0.8, 1.2]),
    ("model.layers.0.self_attn.q_proj.weight", [2, 2], [1, -0.5, 0.25, 0.75]),
    ("model.layers.0.self_attn.k_proj.weight", [2, 2], [0.5, 1, -1, 0.5]),
    ("model.layers.0.self_attn.v_proj.weight", [2, 2], [0.6, -0.4, 0.3, 0.9]),
    ("model.layers.0.self_attn.o_proj.weight", [2, 2], [0.7, 0.2, -0.3, 0.5]),
    ("model.layers.0.mlp.gate_proj.weight", [3, 2], [1.5, -1, -0.5, 2, 0.8, 0.3]),
    ("model.layers.0.mlp.up_proj.weight", [3, 2], [0.9, 0.4, -1.1, 0.6, 0.2, -0.7]),
    ("model.layers.0.mlp.down_proj.weight", [2, 3], [0.5, -0.8, 0.3, 1, 0.4, -0.6]),
    ("model.norm.weight", [2], [1, 1.5]),
    ("lm_head.weight", [3, 2], [1, -2, 0, 0, 0, 0]),
  ]

  private static let configuration = """
    {"model_type": "smollm3", "hidden_size": 2, "intermediate_size": 3, "num_attention_heads": 1,
     "num_key_value_heads": 1, "num_hidden_layers": 1, "vocab_size": 3, "hidden_act": "silu",
     "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "no_rope_layers": [0], "tie_word_embeddings": false,
     "max_position_embeddings": 8, "attention_bias": false, "mlp_bias": false}
    """

  /// The network in double.
  static func load() throws -> any LanguageModel {
    let folder = try TemporaryFolder()
    try Data(configuration.utf8).write(to: folder.url.appending(path: "config.json"))
    var writer = SafetensorsWriter()
    for weight in weights {
      writer.add(weight.name, shape: weight.shape, weight.values)
    }
    try writer.write(to: folder.url.appending(path: "model.safetensors"))
    return try loadNetwork(of: Checkpoint(folder.url), type: .float64)
  }
}
