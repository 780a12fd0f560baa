public import Foundation

/// A network small enough to be worked out by hand: one block, one head, two numbers of width, three neurons,
/// no biases and no rotation.
///
/// It is written as a SmolLM3 checkpoint in float64. Its tokens are the three embeddings that the example speaks of, and
/// the logit of token 0 is its metric.
public enum WorkedExample {
  /// Tokens 0 and 1 differ in the first place, token 2 is what both texts end with.
  public static let embeddings: [[Double]] = [[0.4, -1.0], [-0.6, 0.5], [1.2, 0.7], [0, 0]]
  /// The text.
  public static let clean = [0, 2]
  /// The other text.
  public static let patch = [1, 2]

  private static let weights: [(name: String, rows: [[Double]])] = [
    ("model.embed_tokens.weight", embeddings),
    ("model.layers.0.input_layernorm.weight", [[1, 0.5]]),
    ("model.layers.0.self_attn.q_proj.weight", [[1, -0.5], [0.25, 0.75]]),
    ("model.layers.0.self_attn.k_proj.weight", [[0.5, 1], [-1, 0.5]]),
    ("model.layers.0.self_attn.v_proj.weight", [[0.6, -0.4], [0.3, 0.9]]),
    ("model.layers.0.self_attn.o_proj.weight", [[0.7, 0.2], [-0.3, 0.5]]),
    ("model.layers.0.post_attention_layernorm.weight", [[0.8, 1.2]]),
    ("model.layers.0.mlp.gate_proj.weight", [[1.5, -1], [-0.5, 2], [0.8, 0.3]]),
    ("model.layers.0.mlp.up_proj.weight", [[0.9, 0.4], [-1.1, 0.6], [0.2, -0.7]]),
    ("model.layers.0.mlp.down_proj.weight", [[0.5, -0.8, 0.3], [1, 0.4, -0.6]]),
    ("model.norm.weight", [[1, 1.5]]),
    ("lm_head.weight", [[1, -2], [0.1, 0.2], [-0.3, 0.1], [0, 0]]),
  ]

  private static let configuration = """
    {"architectures": ["SmolLM3ForCausalLM"], "model_type": "smollm3", "vocab_size": 4,
     "hidden_size": 2, "intermediate_size": 3, "num_hidden_layers": 1, "num_attention_heads": 1,
     "num_key_value_heads": 1, "head_dim": 2, "no_rope_layers": [0], "rms_norm_eps": 1e-05,
     "rope_theta": 10000.0, "hidden_act": "silu", "attention_bias": false, "mlp_bias": false,
     "max_position_embeddings": 8, "tie_word_embeddings": false, "use_sliding_window": false,
     "bos_token_id": 0, "eos_token_id": 3}
    """

  /// Writes the checkpoint into a folder.
  ///
  /// - Parameter folder: where its two files go.
  /// - Returns: the checkpoint's folder.
  /// - Throws: what the file system says.
  public static func write(to folder: TemporaryFolder) throws -> URL {
    try folder.write(configuration.utf8, as: "config.json")
    var offset = 0
    var entries: [String] = []
    var numbers: [Double] = []
    for (name, rows) in weights {
      let values = rows.flatMap { $0 }
      // Weights of norms are vectors.
      let shape =
        name.hasSuffix("norm.weight") ? "[\(values.count)]" : "[\(rows.count),\(rows[0].count)]"
      let end = offset + 8 * values.count
      entries.append(
        "\"\(name)\":{\"dtype\":\"F64\",\"shape\":\(shape),\"data_offsets\":[\(offset),\(end)]}")
      numbers += values
      offset = end
    }
    var header = Array("{\(entries.joined(separator: ","))}".utf8)
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    var bytes: [UInt8] = []
    withUnsafeBytes(of: UInt64(header.count).littleEndian) { bytes += $0 }
    bytes += header
    for number in numbers {
      withUnsafeBytes(of: number.bitPattern.littleEndian) { bytes += $0 }
    }
    try folder.write(bytes, as: "model.safetensors")
    return folder.url
  }
}
