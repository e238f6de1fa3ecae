//===- TokenizerFile.cpp - The content of a tokenizer.json ----------------===//
//
// A JSON builder that keeps the entries of model.vocab and model.merges out of
// the document, where they would be 256 000 values of their own.
//
//===----------------------------------------------------------------------===//

#include "runtime/text/TokenizerFile.h"
#include "runtime/text/Json.h"

using namespace dsrt;
using nlohmann::json;

namespace {

class Reader : public JsonBuilder {
public:
  Reader(std::string_view text, TokenizerFile &file)
      : JsonBuilder(file.name), file(file) {
    file.mergeText.reserve(text.size() / 4);
  }

  bool null() override { return table() ? wrong("null") : JsonBuilder::null(); }
  bool boolean(bool value) override {
    return table() ? wrong("a boolean") : JsonBuilder::boolean(value);
  }
  bool number_integer(number_integer_t value) override {
    return table() ? wrong(std::to_string(value))
                   : JsonBuilder::number_integer(value);
  }
  bool number_float(number_float_t value, const string_t &text) override {
    return table() ? wrong(quoteText(text))
                   : JsonBuilder::number_float(value, text);
  }
  bool number_unsigned(number_unsigned_t value) override;
  bool string(string_t &value) override;
  bool start_object(std::size_t elements) override;
  bool key(string_t &value) override;
  bool end_object() override;
  bool start_array(std::size_t elements) override;
  bool end_array() override;

private:
  enum class Table { None, Vocab, Merges, MergePair };

  bool table() const { return current != Table::None; }
  bool wrong(const std::string &found);
  // Whether the next value is that of model.<field>.
  bool atModelField(const char *field) const {
    return open.size() == 2 && path[0] == "model" && path[1] == field &&
           open[1]->is_object();
  }
  bool addMerge(std::string_view left, std::string_view right);

  TokenizerFile &file;
  Table current = Table::None;
  std::string token;             // the key in model.vocab
  std::vector<std::string> pair; // the parts of a merge written as an array
};

} // namespace

bool Reader::wrong(const std::string &found) {
  if (current == Table::Vocab)
    return fail(
        error(DSRT_MALFORMED,
              "{}: model.vocab['{}'] is {}, expected an id from 0 to {}", name,
              quoteText(token), found, TokenizerFile::maxId));
  return fail(error(DSRT_MALFORMED,
                    "{}: model.merges[{}] holds {}, expected \"left right\" or "
                    "[\"left\", \"right\"]",
                    name, file.merges.size(), found));
}

bool Reader::number_unsigned(number_unsigned_t value) {
  if (!table())
    return JsonBuilder::number_unsigned(value);
  if (current != Table::Vocab || value > TokenizerFile::maxId)
    return wrong(std::to_string(value));
  if (!file.vocab.insert(token, static_cast<int32_t>(value)))
    return fail(error(DSRT_MALFORMED, "{}: model.vocab has '{}' twice", name,
                      quoteText(token)));
  return true;
}

bool Reader::string(string_t &value) {
  switch (current) {
  case Table::None:
    return JsonBuilder::string(value);
  case Table::Vocab:
    return wrong(fmt::format("the string '{}'", quoteText(value)));
  case Table::MergePair:
    pair.push_back(std::move(value));
    return pair.size() <= 2 || wrong("more than two strings");
  case Table::Merges:
    break;
  }
  size_t space = value.find(' ');
  if (space == value.npos || value.find(' ', space + 1) != value.npos)
    return wrong(fmt::format("'{}'", quoteText(value)));
  std::string_view text = value;
  return addMerge(text.substr(0, space), text.substr(space + 1));
}

bool Reader::addMerge(std::string_view left, std::string_view right) {
  file.merges.push_back({static_cast<uint32_t>(file.mergeText.size()),
                         static_cast<uint32_t>(left.size()),
                         static_cast<uint32_t>(left.size() + right.size())});
  file.mergeText.append(left).append(right);
  return true;
}

bool Reader::start_object(std::size_t elements) {
  if (table())
    return wrong("an object");
  bool isVocab = atModelField("vocab");
  if (!JsonBuilder::start_object(elements))
    return false;
  if (isVocab)
    current = Table::Vocab;
  return true;
}

bool Reader::key(string_t &value) {
  if (current != Table::Vocab)
    return JsonBuilder::key(value);
  token.swap(value);
  return true;
}

bool Reader::end_object() {
  current = Table::None;
  return JsonBuilder::end_object();
}

bool Reader::start_array(std::size_t elements) {
  if (current == Table::Merges) {
    current = Table::MergePair;
    pair.clear();
    return true;
  }
  if (table())
    return wrong("an array");
  bool isMerges = atModelField("merges");
  if (!JsonBuilder::start_array(elements))
    return false;
  if (isMerges)
    current = Table::Merges;
  return true;
}

bool Reader::end_array() {
  if (current == Table::MergePair) {
    if (pair.size() != 2)
      return wrong("an array of other than two strings");
    current = Table::Merges;
    return addMerge(pair[0], pair[1]);
  }
  current = Table::None;
  return JsonBuilder::end_array();
}

Result<TokenizerFile> TokenizerFile::parse(std::string_view text,
                                           const std::string &name) {
  TokenizerFile file;
  file.name = name;
  Reader reader(text, file);
  json::sax_parse(text, &reader);
  if (!reader.status.ok())
    return reader.status;
  file.rest = std::move(reader.root);
  return file;
}
