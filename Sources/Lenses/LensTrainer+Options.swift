extension LensTrainer {
  /// How a lens is trained.
  ///
  /// The defaults follow the published trainer (`tuned-lens`, its Adam): 250 steps, learning rate
  /// 1e-3 with a linear warm-up over a fifth of the steps and a linear decay to 0, weight decay 1e-3,
  /// AMSGrad; with fewer tokens per step, so that a processor gets through.
  public struct Options: Sendable, Equatable {
    /// How often the translators are changed.
    public var steps = 250
    /// Tokens whose mean loss makes a step; at least one sequence.
    public var tokensPerStep = 1024
    /// Tokens of a sequence; the text is cut into sequences of this length.
    public var sequence = 128
    /// The share of the sequences that is held out, above 0 and below 1.
    public var heldOut = 0.05
    /// What decides the order of the sequences, and which are held out.
    public var seed: UInt64 = 0
    /// Adam's learning rate at its highest.
    public var learningRate = 1e-3
    /// The pull of A and b towards 0, which is the logit lens.
    public var weightDecay = 1e-3
    /// Steps over which the learning rate rises; nil for a fifth of them, at most 1,000.
    public var warmUp: Int?
    /// The most bytes that training may take beyond the model; it does not change the result.
    public var memory: Int?

    /// The defaults.
    public init() {}

    var warmUpSteps: Int { warmUp ?? min(1000, steps / 5) }

    /// The learning rate of a step, from 0: up over the warm-up, then down to 0 after the last.
    func learningRate(at step: Int) -> Double {
      let rising = warmUpSteps
      if step < rising { return learningRate * Double(step + 1) / Double(rising) }
      return learningRate * Double(steps - step) / Double(max(1, steps - rising))
    }

    /// As remarks of a safetensors file.
    var remarks: [String: String] {
      [
        "steps": String(steps), "tokens_per_step": String(tokensPerStep),
        "sequence": String(sequence), "held_out": String(heldOut), "seed": String(seed),
        "learning_rate": String(learningRate), "weight_decay": String(weightDecay),
        "warm_up": String(warmUpSteps), "optimiser": "adam 0.9 0.999 1e-8 amsgrad",
      ]
    }

    init(_ remarks: Remarks) throws {
      steps = try remarks.integer("steps")
      tokensPerStep = try remarks.integer("tokens_per_step")
      sequence = try remarks.integer("sequence")
      heldOut = try remarks.number("held_out")
      seed = UInt64(clamping: try remarks.integer("seed"))
      learningRate = try remarks.number("learning_rate")
      weightDecay = try remarks.number("weight_decay")
      warmUp = try remarks.integer("warm_up")
    }
  }
}
