import Foundation
import Results
import TestSupport
import Testing

@Suite("telescope steer")
struct SteerCommandTests {
  private let model: TinyModel
  private let folder: Folder

  init() throws {
    model = try TinyModel()
    folder = try Folder()
  }

  private func result(_ words: String...) throws -> SteerResult {
    let outcome = try Command.run(
      ["steer", "--model", model.path, "--threads", "1", "--dtype", "float64", "--json", "-"]
        + ["--reproducible", "--bos"] + words)
    #expect(outcome.code == 0 && outcome.errors == "")
    return try SteerResult.decoded(from: outcome.output)
  }

  @Test("Times one says the same; times another does not, and says how far it went")
  func scale() throws {
    let same = try result("--site", "residual.after.0", "--scale", "1", "abcd")
    #expect(same.before == same.after && same.divergence == 0)
    #expect(same.before.continuation.count <= 16 && same.position == 4)
    let other = try result(
      "--site", "residual.after.0", "--scale", "-3", "--answer", "q", "--versus", "r",
      "--max-new-tokens", "5", "--top", "3", "abcd")
    #expect(other.before.continuation == Array(same.before.continuation.prefix(5)))
    #expect(other.divergence > 0 && other.metric?.name == "logit-diff")
    #expect(other.metric?.start != other.metric?.value)
    #expect(Set(other.before.top.map(\.id)) == Set(other.after.top.map(\.id)))
    #expect(
      other.before.top.map(\.probability) == other.before.top.map(\.probability).sorted(by: >))
    #expect(other.change.kind == "scale" && other.change.amount == -3)
  }

  @Test("A captured vector added is the text's that it was captured from")
  func vectors() throws {
    let file = (folder / "v.safetensors").path
    let captured = try Command.run([
      "capture", "--model", model.path, "--threads", "1", "--dtype", "float64", "--bos", "-o", file,
      "--sites", "residual.after.0", "--positions", "3", "--", "xyz",
    ])
    #expect(captured.code == 0)
    let words = ["--site", "residual.after.0", "--times", "2", "--unit", "1", "3", "--", "abcd"]
    func steered(_ change: [String]) throws -> SteerResult {
      let outcome = try Command.run(
        ["steer", "--model", model.path, "--threads", "1", "--dtype", "float64", "--json", "-"]
          + ["--reproducible", "--bos"] + change + words)
      #expect(outcome.errors == "")
      return try SteerResult.decoded(from: outcome.output)
    }
    let stored = try steered(["--add", file + ":residual.after.0"])
    let read = try steered(["--add-text", "xyz"])
    #expect(stored.after == read.after && stored.divergence == read.divergence)
    #expect(stored.change.source == "v.safetensors:residual.after.0" && read.change.plus == "xyz")
    #expect(stored.change.length == read.change.length && stored.change.units == [1, 3])
    let nothing = try steered(["--add-text", "xyz", "--minus-text", "xyz"])
    #expect(nothing.divergence == 0 && nothing.change.length == 0)
  }

  @Test("Both continuations on screen")
  func screen() throws {
    let outcome = try Command.run([
      "steer", "--model", model.path, "--threads", "1", "--site", "residual.after.0", "--set",
      "0.5",
      "--max-new-tokens", "3", "--top", "2", "abcd",
    ])
    #expect(outcome.code == 0)
    #expect(outcome.text.contains("residual.after.0 set to 0.5"))
    #expect(outcome.text.contains("\nbefore \"") && outcome.text.contains("\nafter \""))
    #expect(outcome.text.contains("\nKL "))
  }

  @Test(
    "What cannot be done is refused with the reason",
    arguments: [
      (
        ["--scale", "2", "abcd"],
        "--site says where, such as --site residual.after.12; telescope inspect lists a model's sites."
      ),
      (
        ["--site", "residual.after.0", "abcd"],
        "No change is named; give --scale, --set, --add or --add-text."
      ),
      (
        ["--site", "residual.after.0", "--scale", "2", "--set", "1", "abcd"],
        "A run has one change; give one of --scale, --set, --add and --add-text."
      ),
      (
        ["--site", "residual.after", "--scale", "2", "abcd"],
        "--site 'residual.after' stands for 2 sites; name one layer's, such as residual.after.0."
      ),
      (
        ["--site", "residual.after.0", "--scale", "2", "--times", "2", "abcd"],
        "--times multiplies a vector that is added; leave it out."
      ),
      (["--site", "residual.after.0", "--scale", "x", "abcd"], "--scale 'x': give a number."),
      (
        ["--site", "residual.after.0", "--add", "v.safetensors", "abcd"],
        "--add 'v.safetensors': name a file and a tensor in it, as FILE.safetensors:NAME."
      ),
      (
        ["--site", "residual.after.0", "--scale", "2", "--positions", "40", "--", "abcd"],
        "Position 40 is out of range; text and continuation have positions 0 to 19."
      ),
      (
        ["--site", "residual.after.0", "--scale", "2", "--target", "prob", "abcd"],
        "--target is of an --answer; give one, or leave it out."
      ),
      (
        ["--site", "residual.after.0", "--scale", "2", "--answer", "q", "--versus", "q", "abcd"],
        "Both tokens of the difference are 'q'; name two."
      ),
      (
        ["--site", "attention.heads.0", "--scale", "2", "--unit", "4", "--", "abcd"],
        "Unit 4 is out of range; 'attention.heads.0' has heads 0 to 3."
      ),
    ])
  func refusals(words: [String], message: String) throws {
    let outcome = try Command.run(["steer", "--model", model.path, "--threads", "1"] + words)
    #expect(outcome.errors == "telescope: \(message)\n")
    #expect(outcome.code == 64 && outcome.output.isEmpty)
  }

  @Test("A file of vectors that does not fit is refused with what it has")
  func badFile() throws {
    let file = (folder / "v.safetensors").path
    _ = try Command.run([
      "capture", "--model", model.path, "--threads", "1", "-o", file, "--sites", "residual.after.0",
      "--", "xyz",
    ])
    func message(_ name: String) throws -> String {
      try Command.run([
        "steer", "--model", model.path, "--site", "residual.after.0", "--add", file + ":" + name,
        "abcd",
      ]).errors
    }
    #expect(
      try message("other")
        == "telescope: --add '\(file):other': the file has no such tensor; it has residual.after.0, tokens.ids, "
        + "tokens.ranges.\n")
    #expect(
      try message("residual.after.0").hasSuffix(
        " numbers, and 'residual.after.0' 24 at each position.\n")
        || message("residual.after.0").contains("The vector to add has "))
  }
}
