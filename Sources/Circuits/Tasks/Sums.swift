internal import Attribution

// Tokenizers write `68` as one token or digit by digit. The answer is the token that follows the equals sign:
// the whole sum, or its tens digit; a pair whose two sums begin with the same token is left out. No space stands
// before the sum, as some tokenizers would make it a token of its own.

extension PromptTask {
  /// Two-digit sums of two-digit numbers: `23+45=` 68; the changed prompt has other numbers.
  public static let sums = PromptTask("sums", cutsAnswers: true) { random in
    // Both orders of two numbers fall to the same part.
    let all = (10...89).flatMap { first in
      (first...89).filter { first + $0 <= 99 }.map { (first, $0) }
    }
    return .of(all, &random) { some, random in
      let sums = some.flatMap { $0 == $1 ? [($0, $1)] : [($0, $1), ($1, $0)] }
      var examples: [PromptExample] = []
      for (first, second) in sums {
        for _ in 0..<2 {
          let other = sums.randomElement(using: &random) ?? (first, second)
          examples.append(
            PromptExample(
              clean: "\(first)+\(second)=", patch: "\(other.0)+\(other.1)=",
              answer: "\(first + second)", versus: "\(other.0 + other.1)"))
        }
      }
      return examples
    }
  }
}
