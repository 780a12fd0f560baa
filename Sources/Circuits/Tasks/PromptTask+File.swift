internal import Attribution
public import Foundation
internal import StrictJSON

// Published prompts come as JSON lines with the keys below. Lines are read whole before any model runs, and the
// first that is not one of them is named.

extension PromptTask {
  /// Reads prompts from a file of JSON lines, such as the published ones of subject–verb agreement.
  ///
  /// A line is `{"clean_prefix": "The keys", "patch_prefix": "The key", "clean_answer": " are",
  /// "patch_answer": " is", "case": "plural"}`; `case` may be left out. Two thirds of the distinct prompts are
  /// for training, and no line of the rest has a prompt of theirs.
  ///
  /// - Parameter url: the file.
  /// - Throws: `CircuitError` that names the first line that is none, or says that the file cannot be read.
  public init(contentsOf url: URL) throws {
    let name = url.lastPathComponent
    var examples: [PromptExample] = []
    var seen: Set<PromptExample> = []
    var number = 0
    for line in try Self.bytes(url).split(separator: 0x0A, omittingEmptySubsequences: false) {
      number += 1
      if line.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) { continue }
      let example = try Self.example(line) {
        CircuitError(.badData, "\(name), line \(number): \($0)")
      }
      if seen.insert(example).inserted { examples.append(example) }
    }
    guard !examples.isEmpty else {
      throw CircuitError(
        .badData, "\(name) has no prompts; give one line {\"clean_prefix\": \"…\", …} for each.")
    }
    let all = examples
    self.init(name) { random in
      var prompts: Set<String> = []
      let distinct = all.map(\.clean).filter { prompts.insert($0).inserted }
      let train = Set(distinct.divided(using: &random).train)
      return PromptSplit(
        train: all.filter { train.contains($0.clean) },
        test: all.filter { !train.contains($0.clean) })
    }
  }

  private static let keys = [
    "clean_prefix", "patch_prefix", "clean_answer", "patch_answer", "case",
  ]

  private static func bytes(_ url: URL) throws -> Data {
    let isFile = try? url.resolvingSymlinksInPath().resourceValues(forKeys: [.isRegularFileKey])
    guard isFile?.isRegularFile == true, let data = try? Data(contentsOf: url) else {
      throw CircuitError(
        .unreadable,
        "'\(url.path)' is neither a task nor a file that can be read; name one of "
          + "\(all.map(\.name).joined(separator: ", ")), or a file of JSON lines.")
    }
    return data
  }

  private static func example(
    _ line: Data, _ refuse: (String) -> CircuitError
  ) throws -> PromptExample {
    let json: JSON
    do {
      json = try JSON.parse(line)
    } catch {
      throw refuse(
        "this is not JSON (\(error.message.shown)); give {\"clean_prefix\": \"…\", \"patch_prefix\": \"…\", "
          + "\"clean_answer\": \"…\", \"patch_answer\": \"…\"}.")
    }
    guard let object = json.object else { throw refuse("this is \(json.kind); give an object.") }
    if let key = object.keys.first(where: { !keys.contains($0) }) {
      throw refuse("unknown key '\(key.shown)'; a line has \(keys.joined(separator: ", ")).")
    }
    func text(_ key: String) throws -> String {
      guard let value = object[key] else { throw refuse("there is no '\(key)'; add it.") }
      guard let text = value.string, !text.isEmpty else {
        throw refuse(
          "'\(key)' is \(value.string == nil ? value.kind : "empty"); give a text in quotes.")
      }
      return text
    }
    let example = PromptExample(
      clean: try text("clean_prefix"), patch: try text("patch_prefix"),
      answer: try text("clean_answer"), versus: try text("patch_answer"),
      name: object["case"] == nil ? nil : try text("case"))
    guard example.answer != example.versus else {
      throw refuse("both answers are '\(example.answer.shown)'; the metric is their difference.")
    }
    return example
  }
}

extension String {
  /// On one line and cut, as a message can show it.
  fileprivate var shown: String {
    let scalars = unicodeScalars.prefix(80).map { $0.escaped(asASCII: false) }
    return scalars.joined() + (unicodeScalars.count > 80 ? "…" : "")
  }
}
