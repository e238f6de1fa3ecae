deepseek.weight @w from "w" : tensor<4xf32>
deepseek.weight @w_negf derived : tensor<4xf32>

func.func @prepare() -> (tensor<4xf32> {deepseek.name = "w_negf"}) attributes {deepseek.entry} {
  %w = deepseek.get_weight @w : tensor<4xf32>
  %0 = arith.negf %w : tensor<4xf32>
  return %0 : tensor<4xf32>
}

func.func @step(%x: tensor<4xf32>) -> tensor<4xf32> attributes {deepseek.entry} {
  %w = deepseek.get_weight @w_negf : tensor<4xf32>
  %0 = arith.addf %x, %w : tensor<4xf32>
  return %0 : tensor<4xf32>
}
