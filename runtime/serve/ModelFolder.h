//===- ModelFolder.h - What lies beside the weights -------------*- C++ -*-===//
//
// Tokenizer and end-of-sequence ids of the folder that a model gets its weights
// from. A folder without a tokenizer is fine until text is asked for.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SERVE_MODELFOLDER_H
#define DSRT_SERVE_MODELFOLDER_H

#include "runtime/core/Model.h"
#include "runtime/text/Tokenizer.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dsrt {

class ModelFolder {
public:
  /// `folder` is the value of --model.
  static Result<ModelFolder> open(const Model &model,
                                  const std::optional<std::string> &folder);

  /// Null where the folder has none.
  const Tokenizer *tokenizer() const { return text.get(); }
  /// The tokenizer, or the error that says what is missing.
  Result<const Tokenizer *> requireTokenizer() const;

  bool isEos(int32_t id) const;

private:
  std::shared_ptr<const Tokenizer> text;
  Status missing; // why there is no tokenizer
  std::vector<int64_t> eos;
};

} // namespace dsrt

#endif // DSRT_SERVE_MODELFOLDER_H
