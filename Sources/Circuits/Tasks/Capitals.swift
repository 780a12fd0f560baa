internal import Attribution

extension PromptTask {
  /// A country's capital: `The capital of France is` Paris; the changed prompt names another country.
  public static let capitals = PromptTask("capitals") { random in
    .of(countries, &random) { countries, random in
      var examples: [PromptExample] = []
      for country in countries {
        for frame in frames {
          // Some others to choose from, as not all have names of as many tokens.
          let others = countries.filter { $0.name != country.name }.shuffled(using: &random)
          examples += others.prefix(6).map {
            PromptExample(
              clean: frame(country.name), patch: frame($0.name), answer: " " + country.capital,
              versus: " " + $0.capital)
          }
        }
      }
      return examples
    }
  }
}

// Most are of one length, so that prompts which tell positions apart can be many.
private let frames: [@Sendable (String) -> String] = [
  { "The capital of \($0) is" },
  { "Everyone knows that the capital of \($0) is" },
  { "The name of the capital of \($0) is" },
  { "We all know the capital of \($0) is" },
  { "In \($0), the capital city is called" },
]

private let countries: [(name: String, capital: String)] =
  """
  France Paris Germany Berlin Italy Rome Spain Madrid Japan Tokyo China Beijing Russia Moscow
  England London Egypt Cairo Greece Athens Poland Warsaw Austria Vienna Hungary Budapest Norway Oslo
  Sweden Stockholm Denmark Copenhagen Finland Helsinki Ireland Dublin Portugal Lisbon Cuba Havana
  Iraq Baghdad Iran Tehran Syria Damascus Lebanon Beirut Turkey Ankara Kenya Nairobi Canada Ottawa
  Thailand Bangkok Vietnam Hanoi Indonesia Jakarta Peru Lima Chile Santiago Belgium Brussels
  Scotland Edinburgh Wales Cardiff Afghanistan Kabul Pakistan Islamabad Nepal Kathmandu Qatar Doha
  Libya Tripoli Serbia Belgrade Romania Bucharest Bulgaria Sofia Croatia Zagreb Australia Canberra
  Jordan Amman Ghana Accra
  """
  .split(whereSeparator: \.isWhitespace).map(String.init).pairs

extension [String] {
  fileprivate var pairs: [(name: String, capital: String)] {
    stride(from: 0, to: count - 1, by: 2).map { (self[$0], self[$0 + 1]) }
  }
}
