import Attribution
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing

/// Every method of the family against the judge's numbers.
@Suite("Gradient methods against the judge")
struct GradientReferenceTests {
  /// A fixture with its texts as a setting, the patch as where paths start, or zero.
  private func setting(_ fixture: GradientFixture, isPaired: Bool = true) throws -> GradientSetting
  {
    try GradientSetting(
      [fixture.clean], fixture.metric, from: isPaired ? .contrast([fixture.patch]) : .zero,
      in: fixture.model)
  }

  /// Expects the scores of every site to be the numbers that `known` has for it.
  private func expect(
    _ method: some GradientMethod, _ fixture: GradientFixture, isPaired: Bool = true,
    within tolerance: Double = GradientFixture.tolerance,
    _ place: SourceLocation = #_sourceLocation, known: (Site) -> [Double]
  ) throws {
    let sites = fixture.sites.map(\.site)
    let found = try method.scores(
      of: sites, in: setting(fixture, isPaired: isPaired), progress: { _ in })
    let metrics = fixture.numbers("metric.values")
    #expect(distance(found.end, [metrics[0]]).error < 1e-10, sourceLocation: place)
    for site in sites {
      let scores = try found.numbers(at: site)
      #expect(
        distance(scores, known(site)).error < tolerance, "\(fixture.name), \(site)",
        sourceLocation: place)
    }
  }

  @Test(
    "Attribution patching at either run, and value times gradient", arguments: GradientFixture.names
  )
  func attributionPatching(name: String) throws {
    let fixture = try GradientFixture(name)
    try expect(AttributionPatching(), fixture) { fixture.scores("coefficient.gradient", at: $0) }
    try expect(AttributionPatching(at: .patch), fixture) {
      fixture.scores("patch.coefficient.gradient", at: $0)
    }
    try expect(AttributionPatching(), fixture, isPaired: false) { site in
      zip(
        fixture.numbers("clean.value", at: site), fixture.numbers("coefficient.gradient", at: site)
      ).map { $0 * $1 }
    }
    try expect(Saliency(), fixture) { fixture.numbers("coefficient.gradient", at: $0) }
  }

  @Test(
    "RelP under every rule set, unpaired with its constants, and paired at either run",
    arguments: GradientFixture.names)
  func relp(name: String) throws {
    let fixture = try GradientFixture(name)
    for (set, rules) in BackwardRules.named {
      let method = RelevancePropagation(rules)
      try expect(method, fixture, isPaired: false) { site in
        zip(
          fixture.numbers("clean.value", at: site), fixture.numbers("coefficient." + set, at: site)
        ).map { $0 * $1 }
      }
      try expect(method, fixture) { fixture.scores("coefficient." + set, at: $0) }
      let found = try method.scores(
        of: fixture.sites.map(\.site), in: setting(fixture, isPaired: false), progress: { _ in })
      #expect(found.passes == .init(forward: 1, backward: 1))
      for site in fixture.sites.map(\.site) {
        guard rules.conserves, site.isCut else {
          #expect(found.expected[site] == nil)
          continue
        }
        let depth = site.layer.map { $0 + 1 } ?? 0
        let constants = fixture.numbers("biases." + set)[depth...].reduce(0, +)
        #expect(abs((found.constants[site] ?? .nan) - constants) < 1e-9)
        let sum = try found.numbers(at: site).reduce(0, +)
        #expect(abs(sum + constants - fixture.numbers("metric.values")[0]) < 1e-10)
      }
    }
    try expect(RelevancePropagation(at: .patch), fixture) {
      fixture.scores("patch.coefficient.relp", at: $0)
    }
  }

  @Test(
    "A branch's score is its output's change times the gradient at the output, not at what it reads",
    arguments: GradientFixture.names)
  func readGradient(name: String) throws {
    let fixture = try GradientFixture(name)
    let sites = (0..<fixture.model.shape.layers).map { Site.feedForward($0, .output) }
    let found = try AttributionPatching().scores(of: sites, in: setting(fixture))
    let scores = try sites.flatMap { try found.numbers(at: $0) }
    let wrong = fixture.numbers("wrong.read-gradient")
    #expect(scores.count == wrong.count)
    #expect(distance(scores, wrong).error > 100 * GradientFixture.tolerance)
  }

  /// The rules of the fixtures' paths, by their names there.
  private func rules(_ steps: Int) -> [(name: String, rule: PathRule)] {
    [
      ("left", .left(steps)), ("right", .right(steps)), ("midpoint", .midpoint(steps)),
      ("gauss", .gaussLegendre(steps)),
    ]
  }

  @Test(
    "Gradients averaged along the input's path: EAP-IG, integrated gradients at the input, influence",
    arguments: GradientFixture.withPaths)
  func pathAverages(name: String) throws {
    let fixture = try GradientFixture(name)
    for (known, rule) in rules(fixture.steps) {
      try expect(IntegratedGradients(rule), fixture) {
        fixture.scores("mean-gradient." + known, at: $0)
      }
      try expect(InternalInfluence(rule), fixture) {
        fixture.numbers("mean-gradient." + known, at: $0)
      }
    }
    func mean(_ site: Site) -> [Double] {
      zip(
        fixture.scores("mean-gradient.left", at: site),
        fixture.scores("mean-gradient.right", at: site)
      ).map { ($0 + $1) / 2 }
    }
    try expect(IntegratedGradients(.trapezoid(fixture.steps)), fixture, known: mean)
  }

  @Test("No rule passes for another", arguments: GradientFixture.withPaths)
  func rulesDiffer(name: String) throws {
    let fixture = try GradientFixture(name)
    for (found, rule) in rules(fixture.steps) {
      let scores = try IntegratedGradients(rule).scores(of: [.embedding], in: setting(fixture))
      let values = try scores.numbers(at: .embedding)
      for (other, _) in rules(fixture.steps) where other != found {
        let wrong = fixture.scores("mean-gradient." + other, at: .embedding)
        #expect(
          distance(values, wrong).error > 100 * GradientFixture.tolerance, "\(found), \(other)")
      }
    }
  }

  @Test(
    "Conductance with the gradient at either end of a step, and its trapezoid",
    arguments: GradientFixture.withPaths)
  func conductance(name: String) throws {
    let fixture = try GradientFixture(name)
    let steps = fixture.steps
    try expect(Conductance(.left(steps)), fixture) { fixture.numbers("conductance.left", at: $0) }
    try expect(Conductance(.right(steps)), fixture) { fixture.numbers("conductance.right", at: $0) }
    try expect(Conductance(.trapezoid(steps)), fixture) { site in
      zip(
        fixture.numbers("conductance.left", at: site),
        fixture.numbers("conductance.right", at: site)
      ).map { ($0 + $1) / 2 }
    }
  }

  @Test(
    "Refined, conductance is its integral, and sums at every cut to the metric's change",
    arguments: GradientFixture.withPaths)
  func exactConductance(name: String) throws {
    let fixture = try GradientFixture(name)
    let sites = fixture.sites.map(\.site)
    let setting = try setting(fixture)
    // Errors of the trapezoid go with the square of a step, and a finer rule takes them off.
    let runs = try [200, 400].map { try Conductance(.trapezoid($0)).scores(of: sites, in: setting) }
    let metrics = fixture.numbers("metric.values")
    for site in sites {
      let (coarse, fine) = (
        try runs[0].numbers(at: site), try runs[1].numbers(at: site)
      )
      let refined = zip(coarse, fine).map { $1 + ($1 - $0) / 3 }
      #expect(
        distance(refined, fixture.numbers("conductance.exact", at: site)).error < 1e-6, "\(site)")
      let expected = runs[0].expected[site]
      #expect((expected != nil) == site.isCut)
      if let expected {
        #expect(abs(expected - (metrics[0] - metrics[1])) < 1e-10)
        #expect(abs(refined.reduce(0, +) - expected) < 1e-6)
      }
    }
    // In a decoder, tokens before the first that moves are run once.
    let still =
      setting.model.isCausal
      ? zip(fixture.clean, fixture.patch).prefix { $0.0 == $0.1 }.count : 0
    let share = Double(still) / Double(fixture.clean.count)
    #expect(abs(runs[0].passes.forward - (201 * (1 - share) + share)) < 1e-9)
    #expect(abs(runs[0].passes.backward - 201 * (1 - share)) < 1e-9)
  }

  @Test(
    "Integrated gradients of a whole layer, from the patch and from zero, and what they sum to",
    arguments: GradientFixture.withPaths)
  func activations(name: String) throws {
    let fixture = try GradientFixture(name)
    try expect(ActivationIG(.right(fixture.steps)), fixture) {
      fixture.numbers("joint.patch.right", at: $0)
    }
    try expect(ActivationIG(.right(fixture.steps)), fixture, isPaired: false) {
      fixture.numbers("joint.zero.right", at: $0)
    }
    try expect(ActivationIG(.gaussLegendre(160)), fixture) {
      fixture.numbers("joint.patch.exact", at: $0)
    }
    let sites = fixture.sites.map(\.site)
    let found = try ActivationIG(.gaussLegendre(4)).scores(of: sites, in: setting(fixture))
    let effects = fixture.numbers("joint.effect")
    for (site, effect) in zip(sites, effects) {
      #expect(abs((found.expected[site] ?? .nan) - effect) < 1e-10, "\(site)")
    }
  }

  @Test(
    "A whole layer refined to a tolerance sums to the effect of patching it",
    arguments: GradientFixture.withPaths)
  func adaptiveActivations(name: String) throws {
    let fixture = try GradientFixture(name)
    let sites = fixture.sites.map(\.site)
    let found = try ActivationIG(.adaptive(tolerance: 1e-6)).scores(of: sites, in: setting(fixture))
    for (site, effect) in zip(sites, fixture.numbers("joint.effect")) {
      let scores = try found.numbers(at: site)
      #expect(abs(scores.reduce(0, +) - effect) <= 1e-6 * abs(effect) + 1e-12, "\(site)")
      #expect(distance(scores, fixture.numbers("joint.patch.exact", at: site)).error < 1e-5)
    }
  }

  /// A mixture's choice of experts makes the metric jump along a path; of the rest it moves steadily.
  private static let steady = GradientFixture.names.filter { $0 != "mixtral" }

  @Test(
    "Integrated gradients refined to a tolerance keep it, from the patch and from zero",
    arguments: steady, [(true, 1e-3), (true, 1e-6), (false, 1e-3)])
  func adaptiveInput(name: String, path: (isPaired: Bool, tolerance: Double)) throws {
    let fixture = try GradientFixture(name)
    let found = try IntegratedGradients(.adaptive(tolerance: path.tolerance))
      .scores(of: [.embedding], in: setting(fixture, isPaired: path.isPaired))
    let metrics = fixture.numbers("metric.values")
    let expected = metrics[0] - metrics[path.isPaired ? 1 : 2]
    let sum = try found.numbers(at: .embedding).reduce(0, +)
    #expect(abs((found.expected[.embedding] ?? .nan) - expected) < 1e-10)
    // From zero, norms at both ends of every branch make the metric jump about faster than the nodes allowed can follow.
    guard path.isPaired || name != "gemma2" else {
      #expect((found.nodes ?? 0) >= 512)
      return
    }
    #expect(abs(sum - expected) <= path.tolerance * abs(expected), "\(found.nodes ?? 0) nodes")
  }

  @Test("Where a choice of experts makes the metric jump, the sum is beside what it should be")
  func jumps() throws {
    let fixture = try GradientFixture("mixtral")
    let found = try IntegratedGradients(.adaptive(tolerance: 1e-3))
      .scores(of: [.embedding], in: setting(fixture))
    let metrics = fixture.numbers("metric.values")
    #expect(abs((found.expected[.embedding] ?? .nan) - (metrics[0] - metrics[1])) < 1e-10)
    let missed = try found.numbers(at: .embedding).reduce(0, +) - (metrics[0] - metrics[1])
    #expect(abs(missed) > 1e-3 * abs(metrics[0] - metrics[1]))
  }

  @Test(
    "IDGI shares out every step's change by squared gradients", arguments: GradientFixture.withPaths
  )
  func idgi(name: String) throws {
    let fixture = try GradientFixture(name)
    let found = try IDGI(steps: 4).scores(of: [.embedding], in: setting(fixture))
    let values = try found.numbers(at: .embedding)
    #expect(distance(values, fixture.numbers("idgi.4")).error < GradientFixture.tolerance)
    let metrics = fixture.numbers("metric.values")
    for steps in [1, 2, 7] {
      let other = try IDGI(steps: steps).scores(of: [.embedding], in: setting(fixture))
      let sum = try other.numbers(at: .embedding).reduce(0, +)
      #expect(abs(sum - (metrics[0] - metrics[1])) < 1e-12)
    }
  }

  @Test(
    "A neuron's conductance by input is the judge's, and sums to the neuron's",
    arguments: GradientFixture.withPaths)
  func neuronConductance(name: String) throws {
    let fixture = try GradientFixture(name)
    let place = fixture.numbers("neuron-conductance.of").map { Int($0) }
    try #require(place.count == 3)
    let site = Site.feedForward(place[0], .hidden)
    func shares(_ steps: Int) throws -> [Double] {
      let method = NeuronConductance(
        site, position: place[1], unit: place[2], .gaussLegendre(steps))
      return try method.scores(of: [.embedding], in: setting(fixture)).numbers(at: .embedding)
    }
    #expect(
      distance(try shares(fixture.steps), fixture.numbers("neuron-conductance")).error
        < GradientFixture.tolerance)
    let exact = fixture.numbers("conductance.exact", at: site)
    let own = exact[place[1] * fixture.model.shape.hidden + place[2]]
    #expect(abs(try shares(160).reduce(0, +) - own) < 1e-9)
  }

  @Test(
    "Each token's own path sums to the effect of putting the token back",
    arguments: GradientFixture.withPaths)
  func sequential(name: String) throws {
    let fixture = try GradientFixture(name)
    let found = try SequentialIG(.gaussLegendre(160)).scores(of: [.embedding], in: setting(fixture))
    let values = try found.numbers(at: .embedding)
    let width = fixture.model.shape.width
    for token in fixture.clean.indices {
      var ids = fixture.clean
      ids[token] = fixture.patch[token]
      let run = try RuledRun(
        ids, in: fixture.model, .gradient, at: [.embedding], of: fixture.metric)
      let sum = values[token * width..<(token + 1) * width].reduce(0, +)
      #expect(
        abs(sum - (fixture.numbers("metric.values")[0] - run.metric)) < 1e-9, "token \(token)")
    }
  }

  @Test(
    "The other way round, symmetric rules change the sign, and left becomes right",
    arguments: GradientFixture.withPaths)
  func reversed(name: String) throws {
    let fixture = try GradientFixture(name)
    let sites = fixture.sites.map(\.site)
    let back = try GradientSetting(
      [fixture.patch], fixture.metric, from: .contrast([fixture.clean]), in: fixture.model)
    let forth = try setting(fixture)
    func scores(_ method: any GradientMethod, _ setting: GradientSetting) throws -> [Double] {
      let found = try method.scores(of: sites, in: setting, progress: { _ in })
      return try sites.flatMap { try found.numbers(at: $0) }
    }
    let pairs: [(any GradientMethod, any GradientMethod)] = [
      (IntegratedGradients(.left(3)), IntegratedGradients(.right(3))),
      (IntegratedGradients(.gaussLegendre(3)), IntegratedGradients(.gaussLegendre(3))),
      (IntegratedGradients(.midpoint(3)), IntegratedGradients(.midpoint(3))),
      (Conductance(.trapezoid(3)), Conductance(.trapezoid(3))),
      (Conductance(.left(3)), Conductance(.right(3))),
      (AttributionPatching(at: .patch), AttributionPatching(at: .clean)),
      (RelevancePropagation(at: .patch), RelevancePropagation(at: .clean)),
    ]
    for (one, other) in pairs {
      let found = try scores(one, forth)
      let known = try scores(other, back).map { -$0 }
      #expect(distance(found, known).error < 1e-10, "\(one)")
    }
  }

  @Test(
    "Nothing reaches the metric from later positions of a decoder",
    arguments: ["gemma2", "gpt-neox"])
  func causality(name: String) throws {
    let fixture = try GradientFixture(name)
    let position = fixture.metric.position
    let sites = fixture.sites.map(\.site)
    for method in [RelevancePropagation(), Conductance(.trapezoid(3)), ActivationIG(.left(2))]
      as [any GradientMethod]
    {
      let found = try method.scores(of: sites, in: setting(fixture), progress: { _ in })
      for (site, units) in fixture.sites {
        let values = try found.numbers(at: site)
        #expect(values.count == fixture.clean.count * units)
        #expect(values[((position + 1) * units)...].allSatisfy { $0 == 0 }, "\(site)")
      }
      // What the last network adds elsewhere is read by nobody.
      let last = Site.feedForward(fixture.model.shape.layers - 1, .output)
      let width = fixture.model.shape.width
      let values = try found.numbers(at: last)
      #expect(values[..<(position * width)].allSatisfy { $0 == 0 })
      #expect(values[(position * width)...].contains { $0 != 0 })
    }
  }

  @Test("Texts of a batch get what they get alone")
  func batch() throws {
    let fixture = try GradientFixture("gemma2")
    let sites = fixture.sites.map(\.site)
    let texts = [fixture.clean, fixture.patch, fixture.clean]
    let patches = [fixture.patch, fixture.clean, Array(fixture.patch.reversed())]
    let metric = Metric(
      .logit, tokens: [7, 9, 11], versus: [3, 4, 5], position: fixture.metric.position)
    let methods: [any GradientMethod] = [
      AttributionPatching(), RelevancePropagation(), IntegratedGradients(.gaussLegendre(3)),
      IntegratedGradients(.left(70)), Conductance(.trapezoid(3)), Conductance(.left(40)),
      ActivationIG(.right(3)), ActivationIG(.right(3), scope: .all),
      InternalInfluence(.midpoint(2)),
      IDGI(steps: 3), Saliency(),
    ]
    let together = try GradientSetting(texts, metric, from: .contrast(patches), in: fixture.model)
    for method in methods {
      let found = try method.scores(of: sites, in: together, progress: { _ in })
      for row in texts.indices {
        let alone = try GradientSetting(
          [texts[row]], metric.rows(row..<row + 1), from: .contrast([patches[row]]),
          in: fixture.model)
        let known = try method.scores(of: sites, in: alone, progress: { _ in })
        #expect(abs(found.end[row] - known.end[0]) < 1e-12)
        for site in sites {
          let values =
            try found.values[site]?.slice(row..<row + 1, along: 0).values() ?? []
          let own = try known.numbers(at: site)
          #expect(distance(values, own).error < 1e-12, "\(method), \(site)")
        }
      }
    }
  }
}
