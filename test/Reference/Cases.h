//===- Cases.h - What ds-test-reference counts -------------------*- C++
//-*-===//
//
// A case is a name, a largest error and the bound it must keep. Every case
// prints one line; the program fails if any case does.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_REFERENCE_CASES_H
#define TEST_REFERENCE_CASES_H

#include "deepseek/Reference/Ops.h"

#include <functional>
#include <map>

using TensorMap = std::map<std::string, mlir::deepseek::reference::Tensor>;

class Cases {
public:
  /// `error` is a largest absolute difference; NaN fails.
  void expect(const std::string &name, double error, double bound);
  /// All elements differ by at most `bound`; with 0 they are equal bit for bit
  /// (but for the sign of zero and NaN payloads).
  void expectClose(const std::string &name,
                   llvm::Expected<mlir::deepseek::reference::Tensor> actual,
                   const mlir::deepseek::reference::Tensor &expected,
                   double bound);
  void fail(const std::string &name, const std::string &why);
  /// Prints the total; the exit code.
  int finish() const;

private:
  int count = 0, failures = 0;
};

/// The cases of spec/data/model_vectors.json.
void runVectors(Cases &cases, const std::string &path);

/// The cases of golden/ops; `read` reads one of its files.
using Reader = std::function<TensorMap(const std::string &)>;
void runDenseGoldens(Cases &cases, const Reader &read);
void runModelGoldens(Cases &cases, const Reader &read);

/// The cases of one golden/prompt_<n>.
void runPromptGoldens(Cases &cases, TensorMap golden, TensorMap actual);

#endif // TEST_REFERENCE_CASES_H
