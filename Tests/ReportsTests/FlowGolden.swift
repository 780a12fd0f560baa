/// Whole reports of the samples.
enum FlowGolden {
  static let oneAt100 = """
    tiny.gguf · 6 layers · float32 on cpu
    flows between tokens in layer 2 · attention from itb · feed-forward from att-itb · layer from itb
      length of the change · gauss-legendre to 0.001

    "cat sat"

    layer 2 whole · z → z′ · from itb
      target   total                  error   strongest sources
      1 ␣cat   5.477  ███████       1.0e-06   2 ␣sat +4.004  0 [CLS] +1.891  3 [SEP] −0.386
      3 [SEP]  9.426  ████████████  2.0e-03!  0 [CLS] +5.064  3 [SEP] +3.070  1 ␣cat +1.269
    ! 1 of 2 targets did not reach the tolerance with 64 nodes.
      from \\ to    1   3
      0 [CLS]   ▓▓▓▓████
      1 ␣cat       ·▒▒▒▒
      2 ␣sat    ████   ·
      3 [SEP]   −░░░▓▓▓▓
    Rows are sources, columns targets; █ is up to 5.064, steps go by the root of the size; − where a
      source takes away.

    layer 2 composed, product · z → u → z′
      target     sum                strongest sources
      1 ␣cat    9.24  █████████     2 ␣sat +5.068  0 [CLS] +2.642  3 [SEP] +1.273  1 ␣cat +0.253
      3 [SEP]  12.12  ████████████  0 [CLS] +6.252  3 [SEP] +4.008  1 ␣cat +1.895  2 ␣sat −0.034
      from \\ to    1   3
      0 [CLS]   ▓▓▓▓████
      1 ␣cat    ░░░░▓▓▓▓
      2 ␣sat    ████   ·
      3 [SEP]   ▒▒▒▒████
    Rows are sources, columns targets; █ is up to 6.252, steps go by the root of the size; − where a
      source takes away.

    layer 2 attention · z → u · from itb
      target   total                  error   strongest sources and heads
      1 ␣cat   17.55  ████████████  1.0e-06   1 ␣cat h0 +6.895  0 [CLS] h0 +4.000  3 [SEP] h3 +3.529
      3 [SEP]   1.76  █             2.0e-03!  1 ␣cat h3 +5.648  3 [SEP] h0 −3.788  0 [CLS] h3 +3.066
    ! 1 of 2 targets did not reach the tolerance with 64 nodes.
      heads, summed over targets
      h0   +4.49  ██████                h3  +14.82  ████████████████████

    layer 2 feed-forward · u → z′ · from att-itb
      target   total                  error   strongest heads
      1 ␣cat   7.284  ████████████  1.0e-06   h0 +6.891  h3 +0.392
      3 [SEP]  4.527  ███████▌      2.0e-03!  h3 +5.644  h0 −1.126
    ! 1 of 2 targets did not reach the tolerance with 64 nodes.
      heads, summed over targets
      h0  +5.765  ███████████████████   h3  +6.037  ████████████████████

    layer 2 through its heads · z → u → z′ · from itb
      target     sum                strongest sources and heads
      1 ␣cat   20.18  ████████████  2 ␣sat h3 +6.260  3 [SEP] h0 +5.075  1 ␣cat h3 +3.521
      3 [SEP]   2.00  █             3 [SEP] h3 +4.016  1 ␣cat h0 −3.785  0 [CLS] h0 −2.259
      past the heads, to each target of itself:  1 +1.001  3 +3.518
      heads, summed over targets
      h0   +4.37  █████                 h3  +17.82  ████████████████████

    agreement of layer with product
      with own entries  rel. L2  cosine  Spearman  scaled  Pearson  share L2  top k
      the routes          0.250   0.750     0.550   0.228    0.650     0.261  0.450
      null: zero          1.000       ·         ·   1.000        ·     1.000  0.500
      null: attention     0.375   0.625     0.425   0.353    0.525     0.386  0.325
      without them      rel. L2  cosine  Spearman  scaled  Pearson  share L2  top k
      the routes          0.280   0.720     0.520   0.258    0.620     0.291  0.420
      null: zero          1.000       ·         ·   1.000        ·     1.000  0.500
      null: attention     0.450   0.550     0.350   0.428    0.450     0.461  0.250
      as published over 2 columns · L2 2.0000 ± 0.5000 · correlation 0.1250 ± 0.0625
        null zero L2 2.1000 · null attention L2 2.2000
      without them      rel. L2  best null  cosine  best null  Spearman  best null
      layer 2             0.280      0.260   0.720      0.740     0.520      0.540

    warning: 1 target did not reach the tolerance.

    """

  static let oneAt44InASCII = """
    tiny.gguf, 6 layers, float32 on cpu
    flows between tokens in layer 2
      attention from itb
      feed-forward from att-itb, layer from itb
      length of the change
      gauss-legendre to 0.001

    "cat sat"

    layer 2 whole, z -> z', from itb
      target    total  strongest sources
      1 _cat    5.477  2 _sat +4.004
      3 [SEP]  9.426!  0 [CLS] +5.064
    ! 1 of 2 targets did not reach the tolerance
      with 64 nodes.
      from \\ to    1   3
      0 [CLS]   ####@@@@
      1 _cat       .++++
      2 _sat    @@@@   .
      3 [SEP]   -:::####
    Rows are sources, columns targets; @ is up
      to 5.064, steps go by the root of the
      size; - where a source takes away.

    layer 2 composed, product, z -> u -> z'
      target     sum  strongest sources
      1 _cat    9.24  2 _sat +5.068
      3 [SEP]  12.12  0 [CLS] +6.252
      from \\ to    1   3
      0 [CLS]   ####@@@@
      1 _cat    ::::####
      2 _sat    @@@@   .
      3 [SEP]   ++++@@@@
    Rows are sources, columns targets; @ is up
      to 6.252, steps go by the root of the
      size; - where a source takes away.

    layer 2 attention, z -> u, from itb
      target   total  strongest sources and h...
      1 _cat   17.55  1 _cat h0 +6.895
      3 [SEP]  1.76!  1 _cat h3 +5.648
    ! 1 of 2 targets did not reach the tolerance
      with 64 nodes.
      heads, summed over targets
      h0   +4.49  ######
      h3  +14.82  ####################

    layer 2 feed-forward, u -> z', from att-itb
      target    total  strongest heads
      1 _cat    7.284  h0 +6.891  h3 +0.392
      3 [SEP]  4.527!  h3 +5.644  h0 -1.126
    ! 1 of 2 targets did not reach the tolerance
      with 64 nodes.
      heads, summed over targets
      h0  +5.765  ###################
      h3  +6.037  ####################

    layer 2 through its heads, z -> u -> z'
      from itb
      target     sum  strongest sources and h...
      1 _cat   20.18  2 _sat h3 +6.260
      3 [SEP]   2.00  3 [SEP] h3 +4.016
      past the heads, to each target of itself:
        1 +1.001  3 +3.518
      heads, summed over targets
      h0   +4.37  #####
      h3  +17.82  ####################

    agreement of layer with product
      with own entries  rel. L2  cosine  scaled
      the routes          0.250   0.750   0.228
      null: zero          1.000       .   1.000
      null: attention     0.375   0.625   0.353
      without them      rel. L2  cosine  scaled
      the routes          0.280   0.720   0.258
      null: zero          1.000       .   1.000
      null: attention     0.450   0.550   0.428
      as published over 2 columns
        L2 2.0000 +- 0.5000
        correlation 0.1250 +- 0.0625
        null zero L2 2.1000
        null attention L2 2.2000
      without them      rel. L2  best null
      layer 2             0.280      0.260

    warning: 1 target did not reach the
      tolerance.

    """

  static let manyAt80 = """
    tiny.gguf · 6 layers · float32 on cpu
    flows between tokens · attention from itb · feed-forward from att-itb
      layer from itb · length of the change · gauss-legendre to 0.001

    "cat sat"

    whole layers · z → z′ · from itb · total: mean over targets
    layer  total                  error   strongest flows
        0  2.691  ███▌          2.0e-03!  1 ␣cat → 1 ␣cat +5.643
        2  7.451  █████████▌    2.0e-03!  0 [CLS] → 3 [SEP] +5.064
        5  9.362  ████████████  2.0e-03!  0 [CLS] → 1 ␣cat +6.250
    ! 3 targets did not reach the tolerance.

    composed, product · z → u → z′ · sum: mean over targets
    layer    sum                strongest flows
        0   8.10  █████████     1 ␣cat → 1 ␣cat +6.894  2 ␣sat → 3 [SEP] +5.647
        2  10.68  ████████████  0 [CLS] → 3 [SEP] +6.252  2 ␣sat → 1 ␣cat +5.068
        5   6.43  ███████       1 ␣cat → 3 [SEP] +6.254  3 [SEP] → 1 ␣cat +5.070

    attention · z → u · from itb · total: mean over targets
    layer  total                  error   strongest flows
        0  11.04  ███████████   2.0e-03!  2 ␣sat → 1 ␣cat h0 +6.258
        2   9.66  █████████▌    2.0e-03!  1 ␣cat → 1 ␣cat h0 +6.895
        5  11.90  ████████████  2.0e-03!  1 ␣cat → 3 [SEP] h0 +6.897
    ! 3 targets did not reach the tolerance.

    feed-forward · u → z′ · from att-itb · total: mean over targets
    layer  total                  error   strongest targets
        0  1.475  ███           2.0e-03!  1 ␣cat h3 −3.782  1 ␣cat h0 +3.516
        2  5.905  ████████████  2.0e-03!  1 ␣cat h0 +6.891  3 [SEP] h3 +5.644
        5  4.992  ██████████    2.0e-03!  3 [SEP] h0 +6.893  1 ␣cat h3 +3.064
    ! 3 targets did not reach the tolerance.

    through heads · z → u → z′ · from itb · sum: mean over targets
    layer    sum                strongest flows
        0  17.48  ████████████  2 ␣sat → 3 [SEP] h0 +6.901
        2  11.09  ███████▌      2 ␣sat → 1 ␣cat h3 +6.260
        5  10.71  ███████▌      2 ␣sat → 3 [SEP] h3 +6.262

    One layer shows every target and the map itself: --layers 5; --html FILE draws
    all of them.

    agreement of layer with product
      with own entries  rel. L2  cosine  Spearman  scaled  Pearson  share L2  top k
      the routes          0.250   0.750     0.550   0.228    0.650     0.261  0.450
      null: zero          1.000       ·         ·   1.000        ·     1.000  0.500
      null: attention     0.375   0.625     0.425   0.353    0.525     0.386  0.325
      without them      rel. L2  cosine  Spearman  scaled  Pearson  share L2  top k
      the routes          0.280   0.720     0.520   0.258    0.620     0.291  0.420
      null: zero          1.000       ·         ·   1.000        ·     1.000  0.500
      null: attention     0.450   0.550     0.350   0.428    0.450     0.461  0.250
      as published over 2 columns · L2 2.0000 ± 0.5000 · correlation 0.1250 ± 0.0625
        null zero L2 2.1000 · null attention L2 2.2000
      without them      rel. L2  best null  cosine  best null  Spearman  best null
      layer 0             0.155      0.325   0.845      0.675     0.645      0.475
      layer 2             0.280      0.260   0.720      0.740     0.520      0.540
      layer 5             0.468      0.638   0.533      0.363     0.333      0.163

    warning: 1 target did not reach the tolerance.

    """
}
