//===- Tokenize.cpp - The command `tokenize` ------------------------------===//
//
// Text to token ids and back, with the tokenizer of the model's folder. Loads
// no weights.
//
//===----------------------------------------------------------------------===//

#include "runtime/serve/Application.h"
#include "runtime/serve/ModelFolder.h"

namespace dsrt {

Result<int> runTokenize(const Invocation &invocation) {
  std::optional<std::string> folderName, textArgument, file, ids;
  bool noBos = false;
  Options parser(invocation.program,
                 "tokenize --text S | --file F | --decode IDS [options]",
                 "Prints the token ids of a text, separated by commas, as "
                 "generate would feed them; or the text of token ids.");
  parser.string("--text", "S", textArgument, "the text");
  parser.string("--file", "F", file, "file with the text");
  parser.string("--decode", "IDS", ids, "ids to turn into text, as in 0,12,7");
  parser.flag("--no-bos", noBos, "do not put the BOS token first");
  parser.string("--model", "DIR", folderName,
                "folder with the tokenizer (default: the one the model was "
                "compiled from)");
  DSRT_TRY(parser.parse(invocation.arguments));
  if (parser.helpWanted()) {
    DSRT_TRY(print(parser.helpText()));
    return 0;
  }
  if (textArgument.has_value() + file.has_value() + ids.has_value() != 1)
    return error(DSRT_INVALID_ARGUMENT,
                 "tokenize: expected one of --text, --file and --decode");
  Result<ModelFolder> folder = ModelFolder::open(invocation.model, folderName);
  if (!folder.ok())
    return folder.status();
  Result<const Tokenizer *> tokenizer = folder->requireTokenizer();
  if (!tokenizer.ok())
    return tokenizer.status();

  if (ids) {
    Result<std::vector<int32_t>> parsed = parseIds(*ids, "--decode");
    if (!parsed.ok())
      return parsed.status();
    Result<std::string> text =
        (*tokenizer)->decode(*parsed, /*skipSpecial=*/false);
    if (!text.ok())
      return text.status();
    DSRT_TRY(print(*text + "\n"));
    return 0;
  }
  Result<std::string> text =
      file ? readFile(*file) : Result<std::string>(*textArgument);
  if (!text.ok())
    return text.status();
  DSRT_TRY(checkUtf8(*text, file ? "--file" : "--text"));
  Result<std::vector<int32_t>> encoded =
      (*tokenizer)->encode(*text, !noBos && (*tokenizer)->addsBos());
  if (!encoded.ok())
    return encoded.status();
  DSRT_TRY(print(fmt::format("{}\n", fmt::join(*encoded, ","))));
  return 0;
}

} // namespace dsrt
