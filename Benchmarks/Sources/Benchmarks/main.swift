// Telescope beside the paper's procedure in PyTorch, turn by turn in one run.
//
//   make bench
//   Benchmarks/.build/release/Benchmarks [--threads N] [--turns N] [--only WORD] [--json FILE]

import Foundation
import Telescope

struct Prompt: Codable {
  var tokens: Int
  var text: String
  var ids: [Int]
  var answer: [Int]
}

func option(_ name: String) -> String? {
  let words = CommandLine.arguments
  return words.firstIndex(of: name).flatMap { $0 + 1 < words.count ? words[$0 + 1] : nil }
}

let checkout = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()
let reference = checkout.appending(path: "Benchmarks/Reference")
let python = checkout.appending(path: ".venv/bin/python")
let modelFile = checkout.appending(path: ".deps/models/SmolLM2-135M-Instruct.Q4_1.gguf")
let threads = option("--threads").flatMap { Int($0) } ?? 2
let turns = option("--turns").flatMap { Int($0) } ?? 5
let slowTurns = max(3, turns / 2)
let only = option("--only")
let output = option("--json") ?? checkout.appending(path: "Benchmarks/results.json").path

var measurements: [Measurement] = []
var bounds: [Bound] = []

@MainActor func wanted(_ name: String) -> Bool { only.map { name.contains($0) } ?? true }

func say(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

/// One of our tasks, with the ratio it must reach and the one it aims for.
typealias Task = (name: String, must: Double, aim: Double, ours: () throws -> Void)

/// Times our tasks beside one of the twin's, in turns.
@MainActor func compare(_ tasks: [Task], turns: Int, twin: () throws -> Double) throws {
  let tasks = tasks.filter { wanted($0.name) }
  guard !tasks.isEmpty else { return }
  for task in tasks { try task.ours() }
  var mine = tasks.map { _ in [Double]() }
  var theirs: [Double] = []
  for _ in 0..<turns {
    theirs.append(try twin())
    for (index, task) in tasks.enumerated() { mine[index].append(try milliseconds(task.ours)) }
  }
  for (task, times) in zip(tasks, mine) {
    let found = Measurement(
      name: task.name, ours: times, twin: theirs, must: task.must, aim: task.aim)
    measurements.append(found)
    say(
      "\(task.name): ours \(Int(found.ourMedian)) ms, PyTorch \(Int(found.twinMedian)) ms, "
        + "\(String(format: "%.2f", found.ratio)) ×")
  }
}

@MainActor func bound(
  _ name: String, _ unit: String, must: Double, aim: Double, turns: Int, isFloor: Bool = false,
  _ body: () throws -> Double
) rethrows {
  guard wanted(name) else { return }
  try bound(
    name, unit, must: must, aim: aim, isFloor: isFloor,
    values: (0..<turns).map { _ in try body() })
}

@MainActor func bound(
  _ name: String, _ unit: String, must: Double, aim: Double, isFloor: Bool = false,
  values: @autoclosure () throws -> [Double]
) rethrows {
  guard wanted(name) else { return }
  let values = try values()
  let found = Bound(
    name: name, values: values, unit: unit, must: must, aim: aim, isFloor: isFloor)
  bounds.append(found)
  say("\(name): \(found.value) \(unit)")
}

/// A number that this program prints in a process of its own.
func child(_ arguments: String...) throws -> Double {
  let process = Process()
  let answer = Pipe()
  process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
  process.arguments = ["--threads", "\(threads)"] + arguments
  process.standardOutput = answer
  try process.run()
  let text = String(decoding: answer.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
  process.waitUntilExit()
  return Double(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? .nan
}

Engine.threads = threads
Engine.keepFreedMemory()

// What needs neither the model nor Python.
if only?.hasPrefix("loading") == true {
  try loadingBenchmarks()
  try report()
  exit(0)
}
if only?.hasPrefix("flow") == true {
  try flowBenchmarks()
  try report()
  exit(0)
}

let prompts = try JSONDecoder().decode(
  [Prompt].self, from: Data(contentsOf: reference.appending(path: "prompts.json")))
let loaded = try LoadedModel(at: modelFile)
let explainer = try Explainer(loaded)

if only?.hasPrefix("gradients") == true || only?.hasPrefix("circuits") == true {
  try gradientBenchmarks(prompts, loaded)
  try circuitBenchmarks(loaded)
  try report()
  exit(0)
}

// In a process of its own, so that nothing has warmed the heap: the first explanation's peak.
if let index = option("--memory-of").flatMap({ Int($0) }) {
  print(try Memory.peak { try explain(prompts[index], .observed) })
  exit(0)
}

if CommandLine.arguments.contains("--memory-of-tree") {
  var options = treeOptions(Array(prompts[0].answer.prefix(1)), depth: .token)
  options.neurons = .all
  print(
    try Memory.peak {
      _ = try explainer.explain(.init(text: prompts[0].text, ids: prompts[0].ids), options)
    })
  exit(0)
}

let twin = try Twin(
  python: python,
  script: reference.appending(path: "iglens_twin.py"), model: modelFile, threads: threads)

@MainActor func explain(_ prompt: Prompt, _ estimator: Estimator, generating: Bool = false) throws {
  var options = Explainer.Options()
  options.method.estimator = estimator
  options.continuation =
    generating ? .greedy(atMost: prompt.answer.count) : .answer(prompt.answer)
  _ = try explainer.explain(.init(text: prompt.text, ids: prompt.ids), options)
}

func request(
  _ prompt: Prompt, _ estimator: String, generating: Bool = false
) -> [String: Any] {
  var request: [String: Any] = [
    "task": "explain", "ids": prompt.ids, "estimator": estimator, "steps": 64,
  ]
  request[generating ? "generate" : "answer"] = generating ? prompt.answer.count : prompt.answer
  return request
}

// Both sides explain the same: before anything is timed, their numbers must agree.
for prompt in prompts {
  var options = Explainer.Options()
  options.continuation = .answer(prompt.answer)
  let ours = try explainer.explain(.init(text: prompt.text, ids: prompt.ids), options)
  let theirs = try twin.ask(request(prompt, "ends"))
  let rows = theirs["attributions"] as? [[Double]] ?? []
  guard rows.count == prompt.answer.count else { throw Failure(description: "the twin differs") }
  for (one, other) in zip(ours.explanations, rows) {
    for (a, b) in zip(one.attributions, other) where abs(a.value - b) > 1e-4 {
      throw Failure(description: "ours and the twin's numbers differ: \(a.value), \(b)")
    }
  }
}

for prompt in prompts {
  let size = "\(prompt.tokens) tokens"
  try compare(
    [
      ("observed against 64 gradient steps, \(size)", 50, 100, { try explain(prompt, .observed) }),
      (
        "gauss with 16 nodes against 64 gradient steps, \(size)", 40, 80,
        { try explain(prompt, .gauss(nodes: 16)) }
      ),
    ], turns: slowTurns
  ) { try twin.time(request(prompt, "gradient")) }
  try compare(
    [
      (
        "observed against observed at 64 steps, \(size)", 25, 50,
        { try explain(prompt, .observed) }
      )
    ], turns: slowTurns
  ) { try twin.time(request(prompt, "observed")) }
  try compare(
    [
      (
        "with greedy generation, against 64 gradient steps, \(size)", 30, 60,
        { try explain(prompt, .observed, generating: true) }
      )
    ], turns: slowTurns
  ) { try twin.time(request(prompt, "gradient", generating: true)) }
  try compare(
    [("end points only on both sides, \(size)", 1.2, 1.5, { try explain(prompt, .observed) })],
    turns: 2 * turns
  ) { try twin.time(request(prompt, "ends")) }
}
for (count, must, aim) in [(128, 1.0, 1.15), (8, 1.1, 1.4)] {
  let ids = Array((prompts.last?.ids ?? []).prefix(count))
  try compare(
    [
      (
        "forward pass, \(count) tokens", must, aim,
        { try withRecording(false) { _ = try loaded.model.run([ids], capturing: [.logits]) } }
      )
    ], turns: 4 * turns
  ) { try twin.time(["task": "forward", "ids": ids]) }
}

try bound("load the GGUF file", "ms", must: 1500, aim: 500, turns: turns) {
  try milliseconds { _ = try LoadedModel(at: modelFile) }
}
try bound("telescope explain, whole process, 1 token", "ms", must: 3000, aim: 1500, turns: turns) {
  try milliseconds {
    let process = Process()
    process.executableURL = checkout.appending(path: ".build/release/telescope")
    process.arguments = [
      "explain", "--quiet", "--max-new-tokens", "1", "--threads", "\(threads)",
      "The capital of France is",
    ]
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failure(description: "telescope failed") }
  }
}
for (index, prompt) in prompts.enumerated() {
  try bound(
    "peak memory above the loaded model, \(prompt.tokens) tokens", "MB", must: 150, aim: 60,
    turns: 3
  ) { try child("--memory-of", "\(index)") / 1e6 }
}
let stored =
  try JSONSerialization.jsonObject(
    with: Data(
      contentsOf: checkout.appending(path: "Tests/Fixtures/models/smollm2-reference.json")))
  as? [String: Any]
if let ordinary = stored?["ordinary"] as? [String: Any], let ids = ordinary["ids"] as? [Int],
  let known = ordinary["probabilities"] as? [Double]
{
  try bound(
    "model probability against float64, worst of \(known.count) tokens", "relative", must: 5e-5,
    aim: 1e-5, turns: 1
  ) {
    var options = Explainer.Options()
    options.continuation = .everyToken
    options.layers = .these([])
    let result = try explainer.explain(.init(text: "", ids: ids), options)
    return zip(result.explanations, known).map { abs($0.modelValue - $1) / $1 }.max() ?? .nan
  }
}

try gradientBenchmarks(prompts, loaded)
try circuitBenchmarks(loaded)
try treeBenchmarks()
try familyBenchmarks()
try flowBenchmarks()
try loadingBenchmarks()
try report()

// MARK: - Report

func cell(_ value: Double) -> String {
  value >= 100 ? String(format: "%.0f", value) : String(format: "%.2f", value)
}

struct Results: Codable {
  var version: String
  var engine: String
  var threads: Int
  var cores: Int
  var measurements: [Measurement]
  var bounds: [Bound]
}

@MainActor func report() throws {
  print("| task | ours, ms | PyTorch, ms | ratio | must | aim |")
  print("| --- | --- | --- | --- | --- | --- |")
  for m in measurements {
    print(
      "| \(m.name) | \(cell(m.ourMedian)) | \(cell(m.twinMedian)) | \(String(format: "%.2f", m.ratio)) × "
        + "| \(m.must.map { "\($0) ×" } ?? "") | \(m.aim.map { "\($0) ×" } ?? "") |")
  }
  print("\n| quantity | measured | must | aim |")
  print("| --- | --- | --- | --- |")
  for b in bounds {
    let value = b.value < 0.01 ? String(format: "%.2g", b.value) : cell(b.value)
    let sign = b.isFloor ? "≥ " : ""
    print("| \(b.name) | \(value) \(b.unit) | \(sign)\(b.must) | \(sign)\(b.aim) |")
  }
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
  try encoder.encode(
    Results(
      version: telescopeVersion, engine: Engine.version, threads: threads,
      cores: ProcessInfo.processInfo.activeProcessorCount, measurements: measurements,
      bounds: bounds)
  ).write(to: URL(fileURLWithPath: output), options: .atomic)
}
