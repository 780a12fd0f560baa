internal import Attribution

// Does the verb agree with its subject? A pair differs in the number of the noun that the verb must agree
// with, and nowhere else (after Linzen, Dupoux and Goldberg 2016; Finlayson and others 2021).
//
//     simple        The keys                          are / is
//     within-rc     The author that the guards        like / likes      agrees with guards
//     nounpp        The keys near the box             are / is          agrees with keys

extension PromptTask {
  /// Agreement of a verb with the noun before it: `The keys` are.
  public static let agreement = PromptTask("sva-simple") { random in
    .of(people + things, &random) { nouns, random in
      var examples: [PromptExample] = []
      for noun in nouns {
        for determiner in ["The", "My", "Your", "Our", "Their"] {
          let verb = copulas.randomElement(using: &random) ?? copulas[0]
          examples += noun.bothNumbers(verb) { "\(determiner) \($0)" }
        }
      }
      return examples
    }
  }

  /// Agreement within a relative clause: `The author that the guards` like.
  public static let agreementWithinClause = PromptTask("sva-within-rc") { random in
    .of(people, &random) { nouns, random in
      everyTwo(nouns).flatMap { subject, noun in
        subject.forms.flatMap { subject in
          noun.bothNumbers(transitives.randomElement(using: &random) ?? transitives[0]) {
            "The \(subject) that the \($0)"
          }
        }
      }
    }
  }

  /// Agreement across a prepositional phrase: `The keys near the box` are.
  public static let agreementAcrossPhrase = PromptTask("sva-nounpp") { random in
    .of(things, &random) { nouns, random in
      everyTwo(nouns).flatMap { noun, other in
        other.forms.flatMap { other in
          let place = places.randomElement(using: &random) ?? places[0]
          return noun.bothNumbers(copulas.randomElement(using: &random) ?? copulas[0]) {
            "The \($0) \(place) the \(other)"
          }
        }
      }
    }
  }
}

/// A noun or a verb in both numbers.
private struct Word: Sendable {
  var singular: String
  var plural: String

  var forms: [String] { [singular, plural] }

  /// The noun's two examples, each the other's changed prompt.
  func bothNumbers(_ verb: Word, _ prompt: (String) -> String) -> [PromptExample] {
    let (one, many) = (prompt(singular), prompt(plural))
    return [
      PromptExample(
        clean: one, patch: many, answer: " " + verb.singular, versus: " " + verb.plural,
        name: "singular"),
      PromptExample(
        clean: many, patch: one, answer: " " + verb.plural, versus: " " + verb.singular,
        name: "plural"),
    ]
  }
}

/// Every two different words, in both orders.
private func everyTwo(_ words: [Word]) -> [(Word, Word)] {
  words.indices.flatMap { first in
    words.indices.filter { $0 != first }.map { (words[first], words[$0]) }
  }
}

private func regular(_ words: String) -> [Word] {
  words.split(whereSeparator: \.isWhitespace).map {
    Word(singular: String($0), plural: $0 + "s")
  }
}

private let people = regular(
  """
  author doctor teacher farmer pilot lawyer singer dancer driver worker player writer painter guard
  nurse chef judge actor student parent friend king queen soldier officer banker baker sailor manager
  leader artist scientist engineer mayor minister senator editor reporter
  """)

private let things = regular(
  """
  key table car boat book door window chair lamp cup plate tree river road bridge house wall bag
  clock phone picture letter map stone flower horse dog cat bird ship
  """)

private let copulas = [
  Word(singular: "is", plural: "are"), Word(singular: "has", plural: "have"),
  Word(singular: "was", plural: "were"),
]

private let transitives = [
  Word(singular: "likes", plural: "like"), Word(singular: "knows", plural: "know"),
  Word(singular: "sees", plural: "see"), Word(singular: "wants", plural: "want"),
  Word(singular: "loves", plural: "love"),
]

private let places = ["near", "behind", "under", "beside"]
