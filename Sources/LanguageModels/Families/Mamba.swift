internal import StrictJSON
internal import Tensors

// Mamba (Gu and Dao 2023): no attention and no feed-forward network, but a selective state space in
// each block, and no positions:
//
//     x ← x + mixer(norm(x))

extension Family {
  /// Mamba 1.
  static let mamba = Family(
    ["mamba"],
    gguf: [
      GGUFDialect(
        architecture: "mamba", modelType: "mamba", names: mambaNames, configuration: mambaMembers)
    ]
  ) { architecture, reader, weights in
    let width = try reader.count("hidden_size")
    let expansion = try reader.optionalNumber("expand") ?? 2
    let wide = expansion * Double(width)
    guard wide <= Double(1 << 31), wide >= 1 else {
      throw reader.bad("expand", .number(.real(expansion)), "channels of at most 2147483648")
    }
    let channels = Int(wide)
    try reader.require(
      "intermediate_size", { $0.integer == channels }, "expand · hidden_size is \(channels)")
    let states = try reader.optionalCount("state_size") ?? 16
    let taps = try reader.optionalCount("conv_kernel") ?? 4
    let rank =
      reader.value("time_step_rank")?.string == "auto"
      ? nil : try reader.optionalCount("time_step_rank")
    let epsilon = try reader.optionalNumber("layer_norm_epsilon") ?? 1e-5
    let activation = try reader.activation("hidden_act", default: "silu")
    let bias = try reader.flag("use_bias") ?? false
    let kernelBias = try reader.flag("use_conv_bias") ?? true
    let tied = try reader.flag("tie_word_embeddings") ?? true
    let shape = ModelShape(
      architecture: architecture, layers: try reader.layerCount("num_hidden_layers"),
      width: width, heads: 0, keyValueHeads: 0, headWidth: 0, hidden: channels,
      vocabulary: try reader.count("vocab_size"), contextLength: 1 << 20)
    try reader.require("rms_norm", { $0.boolean == true }, "Telescope computes RMS norms here")
    try reader.require(
      "ssm_cfg", { $0.object?.count == 0 }, "Telescope computes Mamba 1 without further settings")
    reader.ignoreBookkeeping()
    reader.ignore([
      "d_inner", "d_model", "n_layer", "fused_add_norm", "pad_vocab_size_multiple",
      "rescale_prenorm_residual", "residual_in_fp32", "use_mambapy", "use_associative_scan",
      "time_step_floor", "time_step_init_scheme", "time_step_max", "time_step_min",
      "time_step_scale",
    ])
    try reader.finish()

    let body = weights.scope("backbone")
    let old = "backbone.embedding.weight"
    let tokens = weights.tensor(
      weights.has(old) == true ? old : "backbone.embeddings.weight", [shape.vocabulary, width])
    let steps = rank ?? (width + 15) / 16
    let blocks = (0..<shape.layers).map { layer in
      let block = body.at("layers.\(layer)")
      let mixer = block.at("mixer")
      return MambaBlock(
        norm: block.rmsNorm("norm", width, epsilon),
        mixer: SelectiveStateSpace(
          input: mixer.linear("in_proj", 2 * channels, from: width, bias: bias),
          kernel: weights.tensor(mixer.prefix + "conv1d.weight", [channels, 1, taps])
            .reshaped([channels, taps]).transposed(0, 1).contiguous,
          kernelBias: kernelBias
            ? weights.tensor(mixer.prefix + "conv1d.bias", [channels]) : nil,
          activation: activation,
          selection: mixer.linear("x_proj", steps + 2 * states, from: channels),
          step: mixer.linear("dt_proj", channels, from: steps, bias: true),
          decay: weights.negativeExponential(mixer.prefix + "A_log", [channels, states]),
          skip: weights.tensor(mixer.prefix + "D", [channels]),
          output: mixer.linear("out_proj", width, from: channels, bias: bias)))
    }
    let head = Unembedding(
      norm: body.rmsNorm("norm_f", width, epsilon),
      weight: weights.head("lm_head.weight", tiedTo: tokens, tied))
    try weights.finish()
    return Transformer(
      shape: shape, embedding: Embedding(tokens: tokens), blocks: blocks, head: head)
  }

  private static let mambaNames: [GGUFDialect.Name] = {
    let mixer = "backbone.layers.#.mixer."
    return [
      .init("backbone.embeddings", "token_embd"), .init("backbone.norm_f", "output_norm"),
      .init("lm_head", "output"), .init("backbone.layers.#.norm", "blk.#.attn_norm"),
      .init(mixer + "in_proj", "blk.#.ssm_in"), .init(mixer + "conv1d", "blk.#.ssm_conv1d"),
      .init(mixer + "x_proj", "blk.#.ssm_x"), .init(mixer + "dt_proj", "blk.#.ssm_dt"),
      .init(mixer + "A_log", "blk.#.ssm_a", isNegativeExponential: true),
      .init(mixer + "D", "blk.#.ssm_d"), .init(mixer + "out_proj", "blk.#.ssm_out"),
    ]
  }()

  private static let mambaMembers:
    @Sendable (ConfigurationReader, GGUFDialect.Context) throws -> [String: JSON] = {
      reader, file in
      var members: [String: JSON] = [
        "vocab_size": .number(.integer(file.vocabulary)),
        "tie_word_embeddings": .boolean(!file.hasHead),
        "use_bias": .boolean(file.has("blk.0.ssm_in.bias")),
        "use_conv_bias": .boolean(file.has("blk.0.ssm_conv1d.bias")),
        "layer_norm_epsilon": .number(
          .real(try reader.number("mamba.attention.layer_norm_rms_epsilon"))),
      ]
      for (key, name) in [
        ("hidden_size", "embedding_length"), ("num_hidden_layers", "block_count"),
        ("conv_kernel", "ssm.conv_kernel"), ("state_size", "ssm.state_size"),
        ("time_step_rank", "ssm.time_step_rank"), ("intermediate_size", "ssm.inner_size"),
      ] { members[key] = .number(.integer(try reader.count("mamba." + name))) }
      if let width = members["hidden_size"]?.integer,
        let channels = members["intermediate_size"]?.integer
      {
        members["expand"] = .number(.real(Double(channels) / Double(width)))
      }
      try reader.require(
        "mamba.ssm.dt_b_c_rms", { $0.boolean == false },
        "Telescope computes Mamba without inner norms")
      // There are none; files state them as 0, or as they please.
      reader.ignore(
        ["feed_forward_length", "attention.head_count", "context_length", "vocab_size"].map {
          "mamba." + $0
        })
      return members
    }
}
