module {
  module @kernels {
    func.func @k(%n: index, %x: tensor<?xf32>, %out: tensor<?xf32>) -> tensor<?xf32> {
      return %x : tensor<?xf32>
    }
  }
}
