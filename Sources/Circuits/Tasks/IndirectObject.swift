internal import Attribution

extension PromptTask {
  /// Who received it: `When Mary and John went to the store, John gave a drink to` Mary.
  ///
  /// The changed prompt has the other giver, so that the other name answers it (after Wang and others 2022).
  public static let indirectObject = PromptTask("ioi") { random in
    .of(names, &random) { names, random in
      var examples: [PromptExample] = []
      for first in names {
        for second in names where second != first {
          for frame in frames {
            let place = places.randomElement(using: &random) ?? places[0]
            let object = objects.randomElement(using: &random) ?? objects[0]
            func prompt(_ giver: String) -> String { frame(first, second, place, giver, object) }
            examples.append(
              PromptExample(
                clean: prompt(second), patch: prompt(first), answer: " " + first,
                versus: " " + second, name: "ABB"))
            examples.append(
              PromptExample(
                clean: prompt(first), patch: prompt(second), answer: " " + second,
                versus: " " + first, name: "ABA"))
          }
        }
      }
      return examples
    }
  }
}

private let frames: [@Sendable (String, String, String, String, String) -> String] = [
  { "When \($0) and \($1) went to the \($2), \($3) gave a \($4) to" },
  { "After \($0) and \($1) met at the \($2), \($3) passed a \($4) to" },
]

private let names = words(
  """
  Mary John Tom James Dan Sarah Anna Mark Paul Kate Peter Susan Alice Laura David Robert Emma Jack
  Michael Lisa Linda Karen Steven George Martin Simon Helen Julia Rachel Frank
  """)
private let places = words("store park school office garden station beach hospital market house")
private let objects = words("book ring drink key letter ball gift hat card phone")

private func words(_ text: String) -> [String] {
  text.split(whereSeparator: \.isWhitespace).map(String.init)
}
