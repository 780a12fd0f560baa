public import Attribution
public import LanguageModels
public import Results

/// How the units of a circuit are scored.
public enum NodeScoring: Sendable, Equatable {
  /// Value times coefficient under the rules; with a patch, (clean − patch) at one of the runs.
  case relp(BackwardRules = .relp, paired: LinearisationPoint? = nil)
  /// Attribution patching: (clean − patch) times the gradient at one of the runs; without a patch, value
  /// times gradient.
  case attributionPatching(at: LinearisationPoint = .clean)
  /// Integrated gradients of a whole layer's values from the patch (or zero) to the clean ones.
  case activations(steps: Int = 10)
  /// The conductance along the input's path from the patch (or zero).
  case conductance(steps: Int = 10)
  /// EAP-IG: gradients averaged along the input's path, times the difference at its ends.
  case pathAverage(steps: Int = 10)
  /// Exact patching of one unit at a time.
  case exact
  /// Numbers that know nothing.
  case random(seed: Int)
}

/// The run at which a gradient is taken.
public enum LinearisationPoint: String, Sendable, CaseIterable {
  /// The text.
  case clean
  /// The other text.
  case patch
}
