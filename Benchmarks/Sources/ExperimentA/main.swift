// The agreement of layers' maps with compositions of their halves, on a file of sentences.
//
//   ExperimentA [--model PATH] [--sentences FILE] [--limit N] [--max-tokens N] [--tolerance X]
//               [--captum-steps N] [--boundary strict|published] [--resamples N] [--seed N] [--markdown FILE]
//               [--csv FILE] [--layers-csv FILE]
//   ExperimentA treebank PATH [--section NAME] > sentences.txt

import Foundation
import PairedRoutes
import Telescope

let checkout = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

func say(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

/// The options that were given, each once; what is left are words.
struct Options {
  private var values: [String: String] = [:]
  var words: [String] = []

  init(_ known: [String]) throws {
    var arguments = CommandLine.arguments.dropFirst()[...]
    while let word = arguments.popFirst() {
      guard word.hasPrefix("--") else {
        words.append(word)
        continue
      }
      guard known.contains(word), values[word] == nil, let value = arguments.popFirst() else {
        throw PairError("\(word) is unknown, repeated or has no value; options: \(known).")
      }
      values[word] = value
    }
  }

  func text(_ name: String) -> String? { values[name] }

  func number<Number: LosslessStringConvertible & Comparable>(
    _ name: String, from least: Number
  ) throws -> Number? {
    try values[name].map { text in
      guard let number = Number(text), number >= least else {
        throw PairError("\(name) \(text): a number from \(least) on is needed.")
      }
      return number
    }
  }
}

/// What targets see in each layer.
func visibility(of url: URL, _ model: any LanguageModel) throws -> [SourceVisibility] {
  let blocks = try Inspection(of: url).blocks
  return (0..<model.shape.layers).map {
    SourceVisibility(isCausal: model.isCausal, window: blocks[$0].attention?.window)
  }
}

func experiment(_ options: Options) throws {
  let url = URL(
    fileURLWithPath: options.text("--model")
      ?? checkout.appending(path: ".deps/models/all-MiniLM-L6-v2").path)
  let file = URL(
    fileURLWithPath: options.text("--sentences")
      ?? checkout.appending(path: "Benchmarks/ExperimentA/sentences.txt").path)
  let longest = try options.number("--max-tokens", from: 2) ?? 128
  let tolerance = try options.number("--tolerance", from: 1e-12) ?? 1e-3
  let steps = try options.number("--captum-steps", from: 2)
  let resamples = try options.number("--resamples", from: 1) ?? 1000
  let boundary = try options.text("--boundary").map { name in
    guard let boundary = FlowBoundary(rawValue: name) else {
      throw PairError("--boundary \(name): strict or published is needed.")
    }
    return boundary
  }
  let seed = try options.number("--seed", from: 0) ?? 0
  let limit = try options.number("--limit", from: 1) ?? Int.max
  let quadrature =
    steps.map { FlowQuadrature.captumTrapezoid(steps: $0) }
    ?? .adaptive(tolerance: tolerance)

  let lines = try String(contentsOf: file, encoding: .utf8)
    .split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
    .filter { !$0.isEmpty }.prefix(limit)
  guard !lines.isEmpty else { throw PairError("\(file.path): there is no sentence in it.") }
  let loaded = try LoadedModel(at: url)
  let visibility = try visibility(of: url, loaded.model)
  var found = Experiment()
  let start = Date()
  for (index, line) in lines.enumerated() {
    let ids = loaded.tokenizer.encode(line, specialTokens: true).ids
    guard ids.count <= longest else {
      say("sentence \(index) has \(ids.count) tokens, more than \(longest), and is left out")
      continue
    }
    found.add(
      try SentenceAgreement(
        ids, in: loaded.model, visibility: visibility, quadrature: quadrature,
        boundary: boundary ?? .strict))
    if (index + 1) % 20 == 0 {
      say("\(index + 1) of \(lines.count), \(Int(Date().timeIntervalSince(start))) s")
    }
  }
  let outcome = found.outcome(resamples: resamples, seed: seed)
  let tables = Tables(
    outcome,
    of: .init(
      model: loaded.name, split: file.deletingPathExtension().lastPathComponent,
      range: 0...(lines.count - 1),
      quadrature: steps.map { "published rule, \($0) nodes" }
        ?? "to a relative completeness error of \(tolerance)",
      boundary: (boundary ?? .strict).rawValue,
      resamples: resamples))
  for (name, text) in [
    ("--csv", tables.csv), ("--layers-csv", tables.layersCSV), ("--markdown", tables.markdown),
  ] {
    guard let path = options.text(name) else { continue }
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
  }
  if options.text("--markdown") == nil { print(tables.markdown) }
}

do {
  if CommandLine.arguments.dropFirst().first == "treebank" {
    let options = try Options(["--section"])
    guard options.words.count == 2 else {
      throw PairError("treebank needs one path: ExperimentA treebank PATH [--section NAME]")
    }
    let sentences = try Treebank.sentences(
      at: URL(fileURLWithPath: options.words[1]), section: options.text("--section"))
    for sentence in sentences { print(sentence) }
    say("\(sentences.count) sentences")
  } else {
    let options = try Options([
      "--model", "--sentences", "--limit", "--max-tokens", "--tolerance", "--captum-steps",
      "--boundary",
      "--resamples", "--seed", "--markdown", "--csv", "--layers-csv",
    ])
    guard options.words.isEmpty else { throw PairError("\(options.words[0]) is not an option.") }
    try experiment(options)
  }
} catch {
  say("\(error)")
  exit(1)
}
