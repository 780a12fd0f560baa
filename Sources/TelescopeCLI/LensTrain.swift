internal import Foundation
internal import Telescope

/// `telescope lens train`: a tuned lens from a text file.
enum LensTrain {
  private static let command = "lens train"

  private static let forms: [String: Arguments.Form] = [
    "--input": .value, "-o": .value, "--output": .value, "--steps": .value,
    "--tokens-per-step": .value, "--sequence": .value, "--held-out": .value, "--seed": .value,
    "--lr": .value, "--weight-decay": .value, "--warm-up": .value, "--resume": .alone,
    "--checkpoint-every": .value,
  ]

  static func run(_ words: [String]) throws {
    let arguments = try Arguments(
      words, CommonOptions.forms.merging(forms) { common, _ in common }, of: command)
    if arguments.flag("--help", "-h") { return try Terminal.write(help) }
    if arguments.flag("--version") { return try Terminal.write(Main.version) }
    let common = try CommonOptions(arguments)
    var options = try options(arguments)
    let every = try arguments.integer("--checkpoint-every", in: 1...1_000_000) ?? 10
    let input = try LensInput(arguments, command: command)
    let output = try lensOutput(arguments)
    let checkpoint = URL(fileURLWithPath: output.target + ".checkpoint")
    let isThere = FileManager.default.fileExists(atPath: checkpoint.path)
    if isThere && !arguments.flag("--resume") {
      throw CommandError(
        .usage,
        "\(checkpoint.path) is the checkpoint of an unfinished training; go on from it with "
          + "--resume, or remove it.")
    }

    let url = try ModelLocation.find(common.model, quiet: common.isQuiet)
    let hashing = HashTask(url)
    let loaded = try common.load(url)
    options.memory = common.memory.map { $0 - loaded.weightBytes }
    let trainer = try LensTrainer(
      loaded,
      LensText(input.text, sha256: input.sha256, for: loaded, length: options.sequence), options)
    let hash = try hashing.value()
    let earlier = isThere ? try trainer.load(checkpoint, modelHash: hash) : nil
    Progress.current.begin("Training", quiet: common.isQuiet)
    defer { Progress.current.end() }
    let meter = LensMeter(trainer, from: earlier?.step ?? 0)
    let lens = try trainer.train(
      from: earlier, modelHash: hash, toolVersion: telescopeVersion, event: meter.show
    ) { state in
      guard state.step % every == 0, state.step < options.steps else { return }
      try OutputFile.uninterrupted { try trainer.save(state, to: checkpoint, modelHash: hash) }
    }
    try OutputFile.uninterrupted {
      try lens.save(to: URL(fileURLWithPath: output.target))
      if FileManager.default.fileExists(atPath: checkpoint.path) {
        try FileManager.default.removeItem(at: checkpoint)
      }
    }
    Progress.current.end()
    try Terminal.write(report(lens, trainer))
    if !common.isQuiet { Terminal.note("Wrote \(output.path)") }
  }

  private static func options(_ arguments: Arguments) throws -> LensTrainer.Options {
    var options = LensTrainer.Options()
    func positive(_ name: String) throws -> Double? {
      try arguments.number(name, "a number above 0") { $0 > 0 && $0.isFinite }
    }
    options.steps = try arguments.integer("--steps", in: 1...10_000_000) ?? options.steps
    options.tokensPerStep =
      try arguments.integer("--tokens-per-step", in: 1...100_000_000) ?? options.tokensPerStep
    options.sequence =
      try arguments.integer("--sequence", in: 2...1_000_000) ?? options.sequence
    options.heldOut =
      try arguments.number("--held-out", "a share above 0 and below 1") { $0 > 0 && $0 < 1 }
      ?? options.heldOut
    options.seed = UInt64(try arguments.integer("--seed", in: 0...Int.max) ?? 0)
    options.learningRate = try positive("--lr") ?? options.learningRate
    options.weightDecay =
      try arguments.number("--weight-decay", "a number from 0") { $0 >= 0 && $0.isFinite }
      ?? options.weightDecay
    options.warmUp = try arguments.integer("--warm-up", in: 0...options.steps)
    return options
  }

  private static func report(_ lens: TunedLens, _ trainer: LensTrainer) -> String {
    guard let provenance = lens.origin.provenance else { return "" }
    let options = provenance.options
    var text = """
      \(provenance.modelName) · \(lens.translators.count) translators · \(options.steps) steps of \
      \(trainer.tokensPerStep) tokens · seed \(options.seed)
      KL(model | lens) in bits per token, over \(provenance.heldOutTokens) held-out tokens

      input of layer  logit lens  tuned lens

      """
    func column(_ text: String, _ width: Int) -> String {
      String(repeating: " ", count: max(0, width - text.count)) + text
    }
    for (layer, row) in provenance.heldOut.enumerated() {
      text +=
        column(String(layer), 14) + column(String(format: "%.4f", row.before), 12)
        + column(String(format: "%.4f", row.after), 12) + "\n"
    }
    return text
  }

  static let help = """
    usage: telescope lens train [options] --input FILE.txt -o lens.safetensors

    Trains a tuned lens (Belrose and others 2023): for the input h of each layer a translator
    h + A h + b, such that norm and head read from it what the model says at its end. The loss
    is KL(model | lens); all layers learn from one forward pass. Reports what is left of it on
    text that was held out.

      --input FILE             the text, UTF-8
      -o, --output FILE        the lens, safetensors with its provenance

    How
      --steps N                steps of Adam (default 250)
      --tokens-per-step N      tokens of a step (default 1024)
      --sequence N             tokens that are read together (default 128)
      --held-out F             the share of the text that is held out (default 0.05)
      --seed N                 decides the order of the text and what is held out (default 0)
      --lr X                   the highest learning rate (default 0.001)
      --warm-up N              steps until it is reached (default a fifth of --steps, at most
                               1000); then it falls to 0
      --weight-decay X         the pull towards the logit lens (default 0.001)
      --checkpoint-every N     steps between checkpoints, in FILE.checkpoint (default 10)
      --resume                 go on from the checkpoint, if there is one; the result is the
                               same as without the interruption

    Everywhere
    \(CommonOptions.help)

    """
}

/// Turns what training tells into a share of its work.
private final class LensMeter {
  private let steps: Int
  /// How much the held-out tokens cost, in steps, before and after.
  private let measuring: Double
  private var taken: Int
  private var bits = ""

  init(_ trainer: LensTrainer, from step: Int) {
    steps = trainer.options.steps
    measuring = 0.5 * Double(trainer.heldOutTokens) / Double(trainer.tokensPerStep)
    taken = step
    Progress.current.describe(
      "\(trainer.options.steps) steps, about \(Int(2e-12 * trainer.multiplications)) TFLOP")
  }

  func show(_ event: LensTrainer.Event) {
    let total = Double(steps) + 2 * measuring
    switch event {
    case .measuring(let share):
      let done = taken == 0 ? 0 : measuring + Double(taken)
      Progress.current.update((done + share * measuring) / total)
    case .step(let step, let bits):
      taken = step
      Progress.current.describe("step \(step) of \(steps), \(String(format: "%.3f", bits)) bits")
      Progress.current.update((measuring + Double(step)) / total)
    }
  }
}
