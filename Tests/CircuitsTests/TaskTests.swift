import Circuits
import Foundation
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing
import Tokenization

@Suite("Tasks")
struct TaskTests {
  static let names = PromptTask.all.map(\.name)

  private func task(_ name: String) throws -> PromptTask { try #require(PromptTask.named(name)) }

  private func words(_ examples: [PromptExample]) -> Set<String> {
    Set(
      examples.flatMap {
        ($0.clean + " " + $0.patch).split { $0 == " " || $0 == "," }.map(String.init)
      })
  }

  @Test("The tasks are these")
  func list() {
    #expect(Self.names == ["sva-simple", "sva-within-rc", "sva-nounpp", "ioi", "capitals", "sums"])
    #expect(PromptTask.named("sva") == nil)
  }

  @Test("A seed gives the same prompts again, and another seed others", arguments: names)
  func deterministic(name: String) throws {
    let task = try task(name)
    #expect(task.examples(seed: 1) == task.examples(seed: 1))
    #expect(task.examples(seed: 1) != task.examples(seed: 2))
    let words = { (seed: Int) in self.words(task.examples(seed: seed).test) }
    #expect(words(1) != words(2))
  }

  @Test("Training and testing share no word but those of the templates", arguments: names, [0, 7])
  func disjoint(name: String, seed: Int) throws {
    let split = try task(name).examples(seed: seed)
    #expect(split.train.count > split.test.count && split.test.count >= 100)
    let shared = words(split.train).intersection(words(split.test))
    let templates: [String: String] = [
      "sva-simple": "The My Your Our Their",
      "sva-within-rc": "The that the",
      "sva-nounpp": "The the near behind under beside",
      "ioi": """
      When After and went met to at the gave passed a store park school office garden station \
      beach hospital market house book ring drink key letter ball gift hat card phone
      """,
      "capitals": "The the capital of is city Everyone knows that name We all know In called",
      "sums": "",
    ]
    let allowed = try #require(templates[name]).split(separator: " ").map(String.init)
    #expect(shared.subtracting(allowed) == [])
    if ["ioi", "capitals"].contains(name) {
      #expect(Set(split.train.map(\.answer)).isDisjoint(with: split.test.map(\.answer)))
    }
  }

  @Test("Sums are right, and no two numbers of one part meet in the other in any order")
  func sums() throws {
    let split = try task("sums").examples(seed: 3)
    func numbers(_ prompt: String) -> [Int] {
      prompt.dropLast().split(separator: "+").compactMap { Int($0) }
    }
    for example in split.train + split.test {
      #expect(example.answer == "\(numbers(example.clean).reduce(0, +))")
      #expect(example.versus == "\(numbers(example.patch).reduce(0, +))")
    }
    let parts = [split.train, split.test].map { part in
      Set(part.flatMap { [$0.clean, $0.patch] }.map { numbers($0).sorted() })
    }
    #expect(parts[0].isDisjoint(with: parts[1]))
  }

  @Test("The verb agrees with the noun that changes, and the receiver is who does not give")
  func answers() throws {
    for example in try task("sva-nounpp").examples(seed: 0).train.prefix(500) {
      let (clean, patch) = (
        example.clean.split(separator: " "), example.patch.split(separator: " ")
      )
      #expect(clean.indices.filter { clean[$0] != patch[$0] } == [1])
      let isPlural = clean[1] == patch[1] + "s"
      #expect(example.name == (isPlural ? "plural" : "singular"))
      #expect([" are", " have", " were"].contains(example.answer) == isPlural)
      #expect([" is", " has", " was"].contains(example.versus) == isPlural)
    }
    for example in try task("sva-within-rc").examples(seed: 0).train.prefix(500) {
      let (clean, patch) = (
        example.clean.split(separator: " "), example.patch.split(separator: " ")
      )
      #expect(clean.indices.filter { clean[$0] != patch[$0] } == [4])
      // Of verbs the singular has the s.
      #expect((clean[4] == patch[4] + "s") == (example.versus == example.answer + "s"))
    }
    for example in try task("ioi").examples(seed: 0).test {
      let words = example.clean.split { $0 == " " || $0 == "," }.map(String.init)
      let (answer, giver) = (String(example.answer.dropFirst()), String(example.versus.dropFirst()))
      #expect(words.count { $0 == answer } == 1 && words.count { $0 == giver } == 2)
    }
    let capitals = try task("capitals").examples(seed: 0)
    #expect(
      (capitals.train + capitals.test).contains {
        $0.clean == "The capital of France is" && $0.answer == " Paris"
      })
  }

  // MARK: - For a model

  private static let tokenizer = Result {
    try LoadedModel(
      at: Fixtures.checkout.appending(path: ".deps/models/SmolLM2-135M-Instruct.Q4_1.gguf")
    ).tokenizer
  }

  /// SmolLM2's tokens with a network that nothing here runs.
  private func smollm2() throws -> LoadedModel {
    LoadedModel(
      model: try CircuitFixture("gpt2").model(.float32), tokenizer: try Self.tokenizer.get(),
      name: "SmolLM2")
  }

  @Test(
    "For SmolLM2 each task has prompts of one length with answers of one token", arguments: names)
  func forModel(name: String) throws {
    let loaded = try smollm2()
    let set = try PromptSet(task(name), train: 60, test: 20, seed: 0, in: loaded)
    #expect(set.train.count == 60 && set.test.count == 20)
    #expect(set.task?.name == name && set.task?.trainPrompts == 60 && set.task?.testPrompts == 20)
    let pairs = set.train + set.test
    #expect(Set(pairs.flatMap { [$0.clean.count, $0.patch?.count ?? 0] }).count == 1)
    #expect(Set(pairs.map(\.clean)).count == 80)
    #expect(loaded.tokenizer.decode(set.train[0].clean) == set.text)
    let split = try task(name).examples(seed: 0)
    let known = Dictionary(
      (split.train + split.test).map { ($0.clean, $0) }, uniquingKeysWith: { first, _ in first })
    for pair in pairs {
      let example = try #require(known[loaded.tokenizer.decode(pair.clean)])
      let answer = loaded.tokenizer.text(of: pair.answer)
      // This tokenizer writes numbers digit by digit: the tens of the sum.
      #expect(name == "sums" ? example.answer.first == answer.first : example.answer == answer)
      #expect(pair.versus != nil && pair.versus != pair.answer)
      let patch = try #require(pair.patch)
      let changed = zip(pair.clean, patch).count { $0 != $1 }
      #expect(["sums", "capitals"].contains(name) ? changed >= 1 : changed == 1)
    }
    let other = try PromptSet(task(name), train: 60, test: 20, seed: 1, in: loaded)
    #expect(other.train != set.train)
  }

  @Test("With positions summed prompts of all lengths are taken, and beginnings stand before each")
  func lengths() throws {
    let loaded = try smollm2()
    let set = try PromptSet(
      task("capitals"), train: 60, test: 0, seed: 0, summingPositions: true, in: loaded,
      beginning: [1])
    #expect(Set(set.train.map(\.clean.count)).count > 1 && set.test.isEmpty)
    #expect(set.train.allSatisfy { $0.clean[0] == 1 && $0.patch?[0] == 1 })
    #expect(set.train.allSatisfy { $0.clean.count == $0.patch?.count })
    // Not every capital's name is one token.
    #expect(set.leftOut.answers > 0)
  }

  /// A tiny model with a token for each byte and for each of some words.
  private func spelling(_ words: [String]) throws -> LoadedModel {
    var vocabulary: [String: Int] = [:]
    for byte in 0x21...0x7E { vocabulary[String(UnicodeScalar(UInt8(byte)))] = byte - 0x21 }
    vocabulary["\u{0120}"] = 94
    for word in words { vocabulary[word] = vocabulary.count }
    let merges = words.map { String($0.first ?? " ") + " " + $0.dropFirst() }
    let object: [String: Any] = [
      "added_tokens": [],
      "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false, "use_regex": true],
      "decoder": ["type": "ByteLevel"],
      "model": ["type": "BPE", "vocab": vocabulary, "merges": merges],
    ]
    let folder = try TemporaryFolder()
    _ = try folder.write(
      JSONSerialization.data(withJSONObject: object), as: "tokenizer.json")
    return LoadedModel(
      model: try CircuitFixture("gpt2").model(.float32),
      tokenizer: try Tokenizer(contentsOf: folder.url), name: "toy")
  }

  @Test("Where a tokenizer has tokens for two digits the answer is the whole sum")
  func wholeSums() throws {
    let numbers = (0...99).map { "\($0 / 10)\($0 % 10)" }
    let loaded = try spelling(numbers)
    let set = try PromptSet(.sums, train: 50, test: 10, seed: 0, in: loaded)
    for pair in set.train + set.test {
      #expect(pair.clean.count == 4)
      let parts = loaded.tokenizer.decode(pair.clean).dropLast().split(separator: "+")
      #expect(
        Int(loaded.tokenizer.text(of: pair.answer)) == parts.reduce(0) { $0 + (Int($1) ?? 0) })
    }
  }

  @Test("A task of which nothing is left is refused with the task, the model and the reasons")
  func noneLeft() throws {
    let loaded = try spelling([])
    let count = PromptTask.agreement.examples(seed: 0).train.count
    #expect(
      throws: CircuitError(
        .usage,
        "Task sva-simple has no prompt left for training with the tokenizer of toy: the answers of "
          + "\(count) are not one token, and 0 differ in length from their changed prompts; choose another "
          + "task or model.")
    ) {
      try PromptSet(.agreement, train: 10, test: 5, seed: 0, in: loaded)
    }
    let encoder = LoadedModel(
      model: try CircuitFixture("bert").model(), tokenizer: loaded.tokenizer, name: "both")
    #expect(
      throws: CircuitError(
        .usage, "Task ioi asks for the next token, and both reads both ways; use a decoder.")
    ) {
      try PromptSet(.indirectObject, train: 10, test: 5, seed: 0, in: encoder)
    }
  }

  // MARK: - From files

  private func file(_ text: String) throws -> PromptTask {
    let folder = try TemporaryFolder()
    return try PromptTask(contentsOf: folder.write(Array(text.utf8), as: "task.jsonl"))
  }

  private func line(_ clean: String, _ patch: String, _ answer: String, _ versus: String) -> String
  {
    """
    {"clean_prefix": "\(clean)", "patch_prefix": "\(patch)", "clean_answer": "\(answer)", \
    "patch_answer": "\(versus)", "case": "plural"}

    """
  }

  @Test("Published lines are read, each once, and no prompt is in both parts")
  func published() throws {
    var text = "\n"
    for noun in 0..<30 {
      for verb in ["is", "has", "is"] {
        text += line("The n\(noun)s", "The n\(noun)", " \(verb)+", " \(verb)")
      }
    }
    let task = try file(text)
    #expect(task.name == "task.jsonl")
    let split = task.examples(seed: 4)
    #expect(split.train.count == 40 && split.test.count == 20)
    #expect(Set(split.train.map(\.clean)).isDisjoint(with: split.test.map(\.clean)))
    #expect(Set(split.train + split.test).count == 60)
    #expect(split == task.examples(seed: 4) && split != task.examples(seed: 5))
    let example = try #require(split.train.first)
    #expect(example.patch + "s" == example.clean && example.answer == example.versus + "+")
    #expect(example.name == "plural")
  }

  @Test("A line that is none is named, with what to give")
  func wrongLines() throws {
    let good = line("ab", "ac", "x", "y")
    func refusal(_ line: String) -> String? {
      do {
        _ = try file(good + line)
        return nil
      } catch {
        return "\(error)"
      }
    }
    #expect(refusal("") == nil)
    #expect(
      refusal("{oops")?.hasPrefix("task.jsonl, line 2: this is not JSON (") == true)
    #expect(refusal("[1]") == "task.jsonl, line 2: this is an array; give an object.")
    #expect(
      refusal(#"{"clean_prefix": "a", "prompt": "b"}"#)
        == "task.jsonl, line 2: unknown key 'prompt'; a line has clean_prefix, patch_prefix, "
        + "clean_answer, patch_answer, case.")
    #expect(
      refusal(#"{"clean_prefix": "a"}"#)
        == "task.jsonl, line 2: there is no 'patch_prefix'; add it.")
    #expect(
      refusal(#"{"clean_prefix": 3}"#)
        == "task.jsonl, line 2: 'clean_prefix' is a number; give a text in quotes.")
    #expect(
      refusal(line("", "b", "x", "y"))
        == "task.jsonl, line 2: 'clean_prefix' is empty; give a text in quotes.")
    #expect(
      refusal(line("a", "b", "x", "x"))
        == "task.jsonl, line 2: both answers are 'x'; the metric is their difference.")
    #expect(
      throws: CircuitError(
        .badData, "task.jsonl has no prompts; give one line {\"clean_prefix\": \"…\", …} for each.")
    ) { try file("\n \n") }
    let missing = URL(fileURLWithPath: "/nowhere/sva")
    #expect(
      throws: CircuitError(
        .unreadable,
        "'/nowhere/sva' is neither a task nor a file that can be read; name one of sva-simple, "
          + "sva-within-rc, sva-nounpp, ioi, capitals, sums, or a file of JSON lines.")
    ) { try PromptTask(contentsOf: missing) }
    #expect(throws: CircuitError.self) {
      try PromptTask(contentsOf: URL(fileURLWithPath: "/dev/zero"))
    }
  }
}
