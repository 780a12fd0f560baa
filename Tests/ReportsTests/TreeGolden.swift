/// Whole reports of the small tree.
enum TreeGolden {
  static let at80 = """
    SmolLM2-135M-Instruct.Q4_1.gguf · 3 layers · float32 on cpu
    target prob · path chain · baseline mean · estimator gauss to 0.0001

    The capital of France is → " Paris"                                  p = 0.75172
         layer  −0.010 ──────────── 0.752    change            range      lens  rank
      baseline  ▏                                                      0.00002
             0  ▍                          −0.01020  −0.010 … −0.006  −0.01018    40
             1  ██                         +0.05980  +0.040 … +0.085   0.04962    36
           ▸ 2    ███████████████████████  +0.70210  +0.510 … +0.887   0.75172    32
         model  ▐████████████████████████                              0.75172

      0.00002 + 0.75170 = 0.75172 · model 0.75172 · certificate −3.0e-09
      onset layer 2

    parts of the change of p · integrals 16–32 nodes, all converged to 1e-4
      closed below 0.007 · top 4 of each list
      part                        change  √ of it                           residual
      all layers                +0.75170                  ███████████████▌
      ├ layer 0                 −0.01020                ▒▒                  −4.8e-10
      │ ├ embedding − baseline  −0.00408                ▕▒
      │ ├ attention             −0.00149                 ▒
      │ └ MLP                   −0.00463                ▕▒
      ├ layer 1                 +0.05980                  ████▍             −5.9e-10
      │ ├ attention             +0.01874                  ██▌                      0
      │ │ ├ head 0              +0.00913                  █▊                +8.6e-10
      │ │ │ ├ ← " France" (3)   −0.02749               ▒▒▒
      │ │ │ ├ ← "The" (0)       +0.01472                  ██▏
      │ │ │ ├ ← " capital" (1)  +0.01383                  ██▏
      │ │ │ ├ ← " is" (4)       +0.00560                  █▍
      │ │ │ └ others (1 token)  +0.00247                  ▉
      │ │ ├ head 1              +0.00729                  █▌                −9.3e-10
      │ │ │ ├ ← " is" (4)       +0.00583                  █▍
      │ │ │ ├ ← " capital" (1)  +0.00474                  █▎
      │ │ │ ├ ← "The" (0)       −0.00253                 ▒
      │ │ │ ├ ← " France" (3)   −0.00041                 ▐
      │ │ │ └ others (1 token)  −0.00034                 ▐
      │ │ ├ head 2              +0.00136                  ▋
      │ │ └ bias                +0.00096                  ▌
      │ └ MLP                   +0.04106                  ███▋              −2.0e-09
      │   ├ neuron 430          −0.06460             ▐▒▒▒▒
      │   ├ neuron 41           −0.03303              ▕▒▒▒
      │   └ others              +0.13869                  ██████▋
      └ layer 2                 +0.70210                  ███████████████   +4.5e-10
        ├ attention             +0.22286                  ████████▌         −2.8e-17
        │ ├ head 2              −0.66631   ▐▒▒▒▒▒▒▒▒▒▒▒▒▒▒                  +1.7e-09
        │ │ ├ ← " of" (2)       −0.29598        ▒▒▒▒▒▒▒▒▒▒
        │ │ ├ ← " France" (3)   −0.28990        ▐▒▒▒▒▒▒▒▒▒
        │ │ ├ ← " is" (4)       −0.12368           ▕▒▒▒▒▒▒
        │ │ ├ ← "The" (0)       +0.03186                  ███▎
        │ │ └ others (1 token)  +0.01139                  █▉
        │ ├ head 1              +0.46284                  ████████████▏     −2.4e-09
        │ │ ├ ← " France" (3)   −0.80064  ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
        │ │ ├ ← "The" (0)       +0.76596                  ███████████████▋
        │ │ ├ ← " capital" (1)  +0.32269                  ██████████▏
        │ │ ├ ← " is" (4)       +0.12428                  ██████▎
        │ │ └ others (1 token)  +0.05055                  ████
        │ ├ head 0              +0.38646                  ███████████▏      +2.6e-09
        │ │ ├ ← " of" (2)       +0.29158                  █████████▋
        │ │ ├ ← " France" (3)   +0.10761                  █████▉
        │ │ ├ ← " capital" (1)  −0.04712              ▒▒▒▒
        │ │ ├ ← " is" (4)       +0.02040                  ██▌
        │ │ └ others (1 token)  +0.01399                  ██▏
        │ └ bias                +0.03987                  ███▋
        └ MLP                   +0.47924                  ████████████▍     −1.2e-09
          ├ neuron 82           +0.03735                  ███▌
          ├ neuron 471          +0.03349                  ███▎
          └ others              +0.40840                  ███████████▍

    other paths and baselines
      path/baseline     rank corr.  converged  certificate  nodes  std. error
      chain/mean              1.00      100 %     −3.0e-09   ≤ 32
      chain/zero              0.97      100 %     +1.2e-06   ≤ 64
      chain/embedding         0.86      100 %     +1.2e-06   ≤ 64
      straight/mean           0.75       33 %     +1.2e-06   ≤ 64
      shapley/mean            0.64                       0          ≤ 1.0e-02
      completion/means        0.53      100 %     +1.2e-06   ≤ 64

    causal check: each part replaced by its mean at the explained position
      part                  predicted    actual       gap  predicted   actual
      layers  3 parts · Spearman 0.95 · signs agree 97 %
        layer 2              +0.69617  +0.61666  +0.07951   █████████   ████████
        layer 1              +0.05859  +0.07502  −0.01643   ▊           █
        layer 0              −0.01023  −0.01097  +0.00074  ▕           ▕
      attention  3 parts · Spearman 0.88 · signs agree 92 %
        layer 2              +0.22726  +0.16796  +0.05930   █████████   ██████▋
        layer 1              +0.01850  +0.02297  −0.00447   ▊           ▉
        layer 0              −0.00149  −0.00073  −0.00076   ▏           ▏
      MLP  3 parts · Spearman 0.81 · signs agree 87 %
        layer 2              +0.47511  +0.61909  −0.14398   ██████▉     █████████
        layer 1              +0.04229  +0.02688  +0.01541   ▋           ▍
        layer 0              −0.00443  −0.00448  +0.00005  ▕           ▕
      heads  9 parts · Spearman 0.74 · signs agree 82 %
        layer 2 head 2       −0.66847  −0.76141  +0.09294  ▕▒▒▒▒▒      ▒▒▒▒▒▒
        layer 2 head 0       +0.39295  +0.47871  −0.08576        ███▏        ███▊
        layer 2 head 1       +0.46408  +0.46253  +0.00155        ███▋        ███▋
        layer 1 head 0       +0.00912  +0.00916  −0.00004        ▏           ▏
        others: 5 parts
      neurons  3 parts · Spearman 0.67 · signs agree 77 %
        layer 1: 2 neurons   −0.09600  −0.08342  −0.01258  ▐▒▒▒▒▒       ▐▒▒▒▒
        layer 2: 2 neurons   +0.07145  +0.03289  +0.03856        ████        █▉
        layer 0: 2 neurons   −0.00279  −0.00185  −0.00094       ▕           ▕

    causal check: each part replaced by its value at " France" (3) at the explained
      position
      part                  predicted    actual       gap  predicted   actual
      layers  3 parts · Spearman 0.95 · signs agree 97 %
        layer 2              +0.66934  +0.56954  +0.09980   █████████   ███████▋
        layer 1              +0.05804  +0.03400  +0.02404   ▊           ▌
        layer 0              −0.00979  −0.00530  −0.00449  ▕           ▕
      attention  3 parts · Spearman 0.88 · signs agree 92 %
        layer 2              +0.21416  +0.28305  −0.06889   ██████▊     █████████
        layer 1              +0.01790  +0.02382  −0.00592   ▋           ▊
        layer 0              −0.00147  −0.00120  −0.00027   ▏           ▏
      MLP  3 parts · Spearman 0.81 · signs agree 87 %
        layer 2              +0.49083  +0.44258  +0.04825   █████████   ████████▏
        layer 1              +0.03972  +0.02396  +0.01576   ▊           ▌
        layer 0              −0.00472  −0.00634  +0.00162  ▕           ▕
      heads  9 parts · Spearman 0.74 · signs agree 82 %
        layer 2 head 2       −0.68930  −0.33433  −0.35497  ▒▒▒▒▒▒         ▒▒▒
        layer 2 head 1       +0.48169  +0.35043  +0.13126        ████        ██▉
        layer 2 head 0       +0.39709  +0.31954  +0.07755        ███▎        ██▋
        layer 1 head 0       +0.00906  +0.00948  −0.00042        ▏           ▏
        others: 5 parts
      neurons  3 parts · Spearman 0.67 · signs agree 77 %
        layer 1: 2 neurons   −0.09407  −0.11710  +0.02303   ▒▒▒▒▒      ▒▒▒▒▒▒
        layer 2: 2 neurons   +0.07410  +0.06787  +0.00623        ███▊        ███▌
        layer 0: 2 neurons   −0.00288  −0.00110  −0.00178       ▕            ▏

    """

  static let at40 = """
    SmolLM2-135M-Instruct.Q4_1.gguf
      3 layers · float32 on cpu
    target prob · path chain · baseline mean
      estimator gauss to 0.0001

    The capital of France is → " Paris"
    p = 0.75172
      layer        0.752    change      lens
       base  ▏                       0.00002
          0  ▏            −0.01020  −0.01018
          1  ▉            +0.05980   0.04962
        ▸ 2  ▕██████████  +0.70210   0.75172
      model  ███████████             0.75172

      0.00002 + 0.75170 = 0.75172
      model 0.75172 · certificate −3.0e-09
      onset layer 2

    parts of the change of p
    integrals 16–32 nodes, all converged to
      1e-4
      closed below 0.007
      top 4 of each list
    part                        change
    all layers                +0.75170
    ├ layer 0                 −0.01020
    │ ├ embedding − baseline  −0.00408
    │ ├ attention             −0.00149
    │ ├ MLP                   −0.00463
    │ └ residual              −4.8e-10
    ├ layer 1                 +0.05980
    │ ├ attention             +0.01874
    │ │ ├ head 0              +0.00913
    │ │ │ ├ ← " France" (3)   −0.02749
    │ │ │ ├ ← "The" (0)       +0.01472
    │ │ │ ├ ← " capital" (1)  +0.01383
    │ │ │ ├ ← " is" (4)       +0.00560
    │ │ │ ├ others (1 token)  +0.00247
    │ │ │ └ residual          +8.6e-10
    │ │ ├ head 1              +0.00729
    │ │ │ ├ ← " is" (4)       +0.00583
    │ │ │ ├ ← " capital" (1)  +0.00474
    │ │ │ ├ ← "The" (0)       −0.00253
    │ │ │ ├ ← " France" (3)   −0.00041
    │ │ │ ├ others (1 token)  −0.00034
    │ │ │ └ residual          −9.3e-10
    │ │ ├ head 2              +0.00136
    │ │ ├ bias                +0.00096
    │ │ └ residual                   0
    │ ├ MLP                   +0.04106
    │ │ ├ neuron 430          −0.06460
    │ │ ├ neuron 41           −0.03303
    │ │ ├ others              +0.13869
    │ │ └ residual            −2.0e-09
    │ └ residual              −5.9e-10
    └ layer 2                 +0.70210
      ├ attention             +0.22286
      │ ├ head 2              −0.66631
      │ │ ├ ← " of" (2)       −0.29598
      │ │ ├ ← " France" (3)   −0.28990
      │ │ ├ ← " is" (4)       −0.12368
      │ │ ├ ← "The" (0)       +0.03186
      │ │ ├ others (1 token)  +0.01139
      │ │ └ residual          +1.7e-09
      │ ├ head 1              +0.46284
      │ │ ├ ← " France" (3)   −0.80064
      │ │ ├ ← "The" (0)       +0.76596
      │ │ ├ ← " capital" (1)  +0.32269
      │ │ ├ ← " is" (4)       +0.12428
      │ │ ├ others (1 token)  +0.05055
      │ │ └ residual          −2.4e-09
      │ ├ head 0              +0.38646
      │ │ ├ ← " of" (2)       +0.29158
      │ │ ├ ← " France" (3)   +0.10761
      │ │ ├ ← " capital" (1)  −0.04712
      │ │ ├ ← " is" (4)       +0.02040
      │ │ ├ others (1 token)  +0.01399
      │ │ └ residual          +2.6e-09
      │ ├ bias                +0.03987
      │ └ residual            −2.8e-17
      ├ MLP                   +0.47924
      │ ├ neuron 82           +0.03735
      │ ├ neuron 471          +0.03349
      │ ├ others              +0.40840
      │ └ residual            −1.2e-09
      └ residual              +4.5e-10

    other paths and baselines
    path/baseline     rank corr.  converged
    chain/mean              1.00      100 %
    chain/zero              0.97      100 %
    chain/embedding         0.86      100 %
    straight/mean           0.75       33 %
    shapley/mean            0.64
    completion/means        0.53      100 %

    causal check: each part replaced by its
      mean at the explained position
    part                pred.    actual
    layers
      3 parts · Spearman 0.95
      signs agree 97 %
      layer 2        +0.69617  +0.61666
      layer 1        +0.05859  +0.07502
      layer 0        −0.01023  −0.01097
    attention
      3 parts · Spearman 0.88
      signs agree 92 %
      L2             +0.22726  +0.16796
      L1             +0.01850  +0.02297
      L0             −0.00149  −0.00073
    MLP
      3 parts · Spearman 0.81
      signs agree 87 %
      L2             +0.47511  +0.61909
      L1             +0.04229  +0.02688
      L0             −0.00443  −0.00448
    heads
      9 parts · Spearman 0.74
      signs agree 82 %
      L2 head 2      −0.66847  −0.76141
      L2 head 0      +0.39295  +0.47871
      L2 head 1      +0.46408  +0.46253
      L1 head 0      +0.00912  +0.00916
      others: 5 parts
    neurons
      3 parts · Spearman 0.67
      signs agree 77 %
      L1: 2 neurons  −0.09600  −0.08342
      L2: 2 neurons  +0.07145  +0.03289
      L0: 2 neurons  −0.00279  −0.00185

    causal check: each part replaced by its
      value at " France" (3) at the
      explained position
    part                pred.    actual
    layers
      3 parts · Spearman 0.95
      signs agree 97 %
      layer 2        +0.66934  +0.56954
      layer 1        +0.05804  +0.03400
      layer 0        −0.00979  −0.00530
    attention
      3 parts · Spearman 0.88
      signs agree 92 %
      L2             +0.21416  +0.28305
      L1             +0.01790  +0.02382
      L0             −0.00147  −0.00120
    MLP
      3 parts · Spearman 0.81
      signs agree 87 %
      L2             +0.49083  +0.44258
      L1             +0.03972  +0.02396
      L0             −0.00472  −0.00634
    heads
      9 parts · Spearman 0.74
      signs agree 82 %
      L2 head 2      −0.68930  −0.33433
      L2 head 1      +0.48169  +0.35043
      L2 head 0      +0.39709  +0.31954
      L1 head 0      +0.00906  +0.00948
      others: 5 parts
    neurons
      3 parts · Spearman 0.67
      signs agree 77 %
      L1: 2 neurons  −0.09407  −0.11710
      L2: 2 neurons  +0.07410  +0.06787
      L0: 2 neurons  −0.00288  −0.00110

    """

  static let inASCII = """
    SmolLM2-135M-Instruct.Q4_1.gguf, 3 layers, float32 on cpu
    target prob, path chain, baseline mean
      estimator gauss to 0.0001

    The capital of France is -> " Paris"             p = 0.75172
         layer  -0.010 ------- 0.752    change             range
      baseline  |
             0  |                     -0.01020  -0.010 .. -0.006
             1  ##                    +0.05980  +0.040 .. +0.085
           > 2    ##################  +0.70210  +0.510 .. +0.887
         model  ####################

      0.00002 + 0.75170 = 0.75172, model 0.75172
      certificate -3.0e-09, onset layer 2

    parts of the change of p
      integrals 16-32 nodes, all converged to 1e-4
      closed below 0.007, top 4 of each list
      part                         change  root of it
      all layers                 +0.75170             ##########
      |-layer 0                  -0.01020            =
      | |-embedding - baseline   -0.00408            =
      | |-attention              -0.00149            =
      | |-MLP                    -0.00463            =
      | `-residual               -4.8e-10
      |-layer 1                  +0.05980             ###
      | |-attention              +0.01874             ##
      | | |-head 0               +0.00913             #
      | | | |-<- " France" (3)   -0.02749           ==
      | | | |-<- "The" (0)       +0.01472             #
      | | | |-<- " capital" (1)  +0.01383             #
      | | | |-<- " is" (4)       +0.00560             #
      | | | |-others (1 token)   +0.00247             #
      | | | `-residual           +8.6e-10
      | | |-head 1               +0.00729             #
      | | | |-<- " is" (4)       +0.00583             #
      | | | |-<- " capital" (1)  +0.00474             #
      | | | |-<- "The" (0)       -0.00253            =
      | | | |-<- " France" (3)   -0.00041            |
      | | | |-others (1 token)   -0.00034            |
      | | | `-residual           -9.3e-10
      | | |-head 2               +0.00136             |
      | | |-bias                 +0.00096             |
      | | `-residual                    0
      | |-MLP                    +0.04106             ##
      | | |-neuron 430           -0.06460          ===
      | | |-neuron 41            -0.03303           ==
      | | |-others               +0.13869             ####
      | | `-residual             -2.0e-09
      | `-residual               -5.9e-10
      `-layer 2                  +0.70210             ##########
        |-attention              +0.22286             #####
        | |-head 2               -0.66631    =========
        | | |-<- " of" (2)       -0.29598       ======
        | | |-<- " France" (3)   -0.28990       ======
        | | |-<- " is" (4)       -0.12368         ====
        | | |-<- "The" (0)       +0.03186             ##
        | | |-others (1 token)   +0.01139             #
        | | `-residual           +1.7e-09
        | |-head 1               +0.46284             ########
        | | |-<- " France" (3)   -0.80064   ==========
        | | |-<- "The" (0)       +0.76596             ##########
        | | |-<- " capital" (1)  +0.32269             #######
        | | |-<- " is" (4)       +0.12428             ####
        | | |-others (1 token)   +0.05055             ###
        | | `-residual           -2.4e-09
        | |-head 0               +0.38646             #######
        | | |-<- " of" (2)       +0.29158             ######
        | | |-<- " France" (3)   +0.10761             ####
        | | |-<- " capital" (1)  -0.04712          ===
        | | |-<- " is" (4)       +0.02040             ##
        | | |-others (1 token)   +0.01399             #
        | | `-residual           +2.6e-09
        | |-bias                 +0.03987             ##
        | `-residual             -2.8e-17
        |-MLP                    +0.47924             ########
        | |-neuron 82            +0.03735             ##
        | |-neuron 471           +0.03349             ##
        | |-others               +0.40840             #######
        | `-residual             -1.2e-09
        `-residual               +4.5e-10

    other paths and baselines
      path/baseline    rank corr.  converged  certificate  nodes
      chain/mean             1.00      100 %     -3.0e-09  <= 32
      chain/zero             0.97      100 %     +1.2e-06  <= 64
      chain/embedding        0.86      100 %     +1.2e-06  <= 64
      straight/mean          0.75       33 %     +1.2e-06  <= 64
      shapley/mean           0.64                       0
      completion/m...        0.53      100 %     +1.2e-06  <= 64

    causal check: each part replaced by its mean at the
      explained position
      part                  predicted    actual       gap
      layers  3 parts, Spearman 0.95, signs agree 97 %
        layer 2              +0.69617  +0.61666  +0.07951
        layer 1              +0.05859  +0.07502  -0.01643
        layer 0              -0.01023  -0.01097  +0.00074
      attention  3 parts, Spearman 0.88, signs agree 92 %
        layer 2              +0.22726  +0.16796  +0.05930
        layer 1              +0.01850  +0.02297  -0.00447
        layer 0              -0.00149  -0.00073  -0.00076
      MLP  3 parts, Spearman 0.81, signs agree 87 %
        layer 2              +0.47511  +0.61909  -0.14398
        layer 1              +0.04229  +0.02688  +0.01541
        layer 0              -0.00443  -0.00448  +0.00005
      heads  9 parts, Spearman 0.74, signs agree 82 %
        layer 2 head 2       -0.66847  -0.76141  +0.09294
        layer 2 head 0       +0.39295  +0.47871  -0.08576
        layer 2 head 1       +0.46408  +0.46253  +0.00155
        layer 1 head 0       +0.00912  +0.00916  -0.00004
        others: 5 parts
      neurons  3 parts, Spearman 0.67, signs agree 77 %
        layer 1: 2 neurons   -0.09600  -0.08342  -0.01258
        layer 2: 2 neurons   +0.07145  +0.03289  +0.03856
        layer 0: 2 neurons   -0.00279  -0.00185  -0.00094

    causal check: each part replaced by its value at " France"
      (3) at the explained position
      part                  predicted    actual       gap
      layers  3 parts, Spearman 0.95, signs agree 97 %
        layer 2              +0.66934  +0.56954  +0.09980
        layer 1              +0.05804  +0.03400  +0.02404
        layer 0              -0.00979  -0.00530  -0.00449
      attention  3 parts, Spearman 0.88, signs agree 92 %
        layer 2              +0.21416  +0.28305  -0.06889
        layer 1              +0.01790  +0.02382  -0.00592
        layer 0              -0.00147  -0.00120  -0.00027
      MLP  3 parts, Spearman 0.81, signs agree 87 %
        layer 2              +0.49083  +0.44258  +0.04825
        layer 1              +0.03972  +0.02396  +0.01576
        layer 0              -0.00472  -0.00634  +0.00162
      heads  9 parts, Spearman 0.74, signs agree 82 %
        layer 2 head 2       -0.68930  -0.33433  -0.35497
        layer 2 head 1       +0.48169  +0.35043  +0.13126
        layer 2 head 0       +0.39709  +0.31954  +0.07755
        layer 1 head 0       +0.00906  +0.00948  -0.00042
        others: 5 parts
      neurons  3 parts, Spearman 0.67, signs agree 77 %
        layer 1: 2 neurons   -0.09407  -0.11710  +0.02303
        layer 2: 2 neurons   +0.07410  +0.06787  +0.00623
        layer 0: 2 neurons   -0.00288  -0.00110  -0.00178

    """
}
