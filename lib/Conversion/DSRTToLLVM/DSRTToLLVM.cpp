//===- DSRTToLLVM.cpp - The module of a compiled model --------------------===//
//
// Lowers every host function (EntryLowering), merges the kernels, and writes
// the tables of dsrt/abi.h. Tables are arrays of 64-bit integers and one string
// of all names, so that the tables of 61 layers cost nothing to build; only the
// entries and the module itself hold addresses.
//
//===----------------------------------------------------------------------===//

#include "lib/Conversion/DSRTToLLVM/EntryLowering.h"

#include "deepseek/Conversion/DSRTToLLVM.h"
#include "deepseek/Conversion/Passes.h"
#include "dialects/DSRT/IR/DSRTDialect.h"
#include "dialects/DeepSeek/IR/DeepSeekDialect.h"
#include "dsrt/abi.h"

namespace mlir::deepseek {
#define GEN_PASS_DEF_CONVERTDSRTTOLLVM
#include "deepseek/Conversion/Passes.h.inc"
} // namespace mlir::deepseek

using namespace mlir;
using namespace mlir::deepseek;

namespace {

constexpr StringLiteral kKernelsModule = "kernels";
constexpr StringLiteral kTargetAttr = "deepseek.target";

/// One table: rows of integers.
using Rows = SmallVector<int64_t>;

/// An entry before its table row is written.
struct Entry {
  std::string name;
  LLVM::LLVMFuncOp function;
  Rows args, results;
  int64_t argCount, resultCount, workspaceBytes;
};

class ModuleLowering {
public:
  explicit ModuleLowering(ModuleOp module)
      : module(module), context(module.getContext()), b(context),
        loc(module.getLoc()), pointer(LLVM::LLVMPointerType::get(context)),
        i64(b.getI64Type()), i32(b.getI32Type()) {}

  LogicalResult run();

private:
  void declareRuntime();
  LogicalResult collectWeights();
  LogicalResult addConstant(Operation *op, StringRef symbol,
                            ElementsAttr value);
  void addLocations();
  LogicalResult lowerEntries();
  Attribute getBounds(func::FuncOp func, unsigned argument);
  void noteReader(ArrayRef<StringRef> names, size_t entry);
  LogicalResult appendValue(Rows &rows, Type type, StringRef name,
                            Attribute bounds, Location where);
  LogicalResult mergeKernels();
  LogicalResult addDeviceTables(ModuleOp kernels);
  LogicalResult addDeviceKernel(Attribute row, Location where);
  void addImage(const DeviceImage &image);
  void writeTables();

  int64_t intern(StringRef text);
  std::string moduleString(StringRef attribute, StringRef fallback);
  int64_t moduleInteger(StringRef attribute, int64_t fallback);
  LLVM::GlobalOp makeGlobal(StringRef name, Type type, Attribute value);
  LLVM::GlobalOp makeRows(StringRef name, ArrayRef<int64_t> rows);
  LLVM::GlobalOp makeString(StringRef name, StringRef text);
  LLVM::GlobalOp makeRecord(StringRef name, ArrayRef<Type> fields,
                            ArrayRef<ArrayRef<Attribute>> records);

  ModuleOp module;
  MLIRContext *context;
  OpBuilder b;
  Location loc;
  LLVM::LLVMPointerType pointer;
  IntegerType i64, i32;
  ModuleTables tables;
  Rows weightRows;
  Rows deviceKernelRows;
  SmallVector<SmallVector<Attribute>> images;
  int64_t scratchBytes = 0;
  SmallVector<Entry> entries;
  std::string strings;
  llvm::StringMap<int64_t> interned;
};

//===----------------------------------------------------------------------===//
// Globals
//===----------------------------------------------------------------------===//

int64_t ModuleLowering::intern(StringRef text) {
  auto [it, inserted] = interned.try_emplace(text, strings.size());
  if (inserted) {
    strings += text.str();
    strings.push_back('\0');
  }
  return it->second;
}

std::string ModuleLowering::moduleString(StringRef attribute,
                                         StringRef fallback) {
  auto value = module->getAttrOfType<StringAttr>(attribute);
  return (value ? value.getValue() : fallback).str();
}

int64_t ModuleLowering::moduleInteger(StringRef attribute, int64_t fallback) {
  auto value = module->getAttrOfType<IntegerAttr>(attribute);
  return value ? value.getInt() : fallback;
}

LLVM::GlobalOp ModuleLowering::makeGlobal(StringRef name, Type type,
                                          Attribute value) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(module.getBody());
  return LLVM::GlobalOp::create(b, loc, type, /*isConstant=*/true,
                                LLVM::Linkage::Internal, name, value,
                                /*alignment=*/64);
}

LLVM::GlobalOp ModuleLowering::makeRows(StringRef name,
                                        ArrayRef<int64_t> rows) {
  // LLVM has no constant of no elements.
  Rows padded(rows);
  if (padded.empty())
    padded.push_back(0);
  int64_t size = padded.size();
  return makeGlobal(name, LLVM::LLVMArrayType::get(i64, size),
                    b.getI64TensorAttr(padded));
}

LLVM::GlobalOp ModuleLowering::makeString(StringRef name, StringRef text) {
  std::string terminated = text.str();
  terminated.push_back('\0');
  return makeGlobal(name,
                    LLVM::LLVMArrayType::get(b.getI8Type(), terminated.size()),
                    b.getStringAttr(terminated));
}

/// An array of structs; a field is an integer, the symbol of an address, or
/// unit: no address.
LLVM::GlobalOp
ModuleLowering::makeRecord(StringRef name, ArrayRef<Type> fields,
                           ArrayRef<ArrayRef<Attribute>> records) {
  auto record = LLVM::LLVMStructType::getLiteral(context, fields);
  auto type = LLVM::LLVMArrayType::get(record, records.size());
  LLVM::GlobalOp global = makeGlobal(name, type, Attribute());
  OpBuilder::InsertionGuard guard(b);
  Block *block = b.createBlock(&global.getInitializerRegion());
  b.setInsertionPointToStart(block);
  Value array = LLVM::UndefOp::create(b, loc, type);
  for (auto [row, values] : llvm::enumerate(records)) {
    for (auto [column, attribute] : llvm::enumerate(values)) {
      Value field;
      if (auto symbol = dyn_cast<FlatSymbolRefAttr>(attribute))
        field = LLVM::AddressOfOp::create(b, loc, pointer, symbol.getValue());
      else if (isa<UnitAttr>(attribute))
        field = LLVM::ZeroOp::create(b, loc, pointer);
      else
        field = LLVM::ConstantOp::create(b, loc, fields[column], attribute);
      array = LLVM::InsertValueOp::create(
          b, loc, array, field,
          ArrayRef<int64_t>{int64_t(row), int64_t(column)});
    }
  }
  LLVM::ReturnOp::create(b, loc, array);
  return global;
}

void ModuleLowering::declareRuntime() {
  b.setInsertionPointToStart(module.getBody());
  auto declare = [&](StringRef name, Type result, ArrayRef<Type> operands) {
    LLVM::LLVMFuncOp::create(b, loc, name,
                             LLVM::LLVMFunctionType::get(result, operands));
  };
  declare(kWeightsFunction, pointer, {pointer});
  declare(kWorkspaceFunction, pointer, {pointer});
  declare(kExpectFunction, i32, {pointer, pointer});
  if (!tables.device)
    return;
  // Launchers come with declarations of what they call.
  declare(kCopyFunction, i32, {pointer, pointer, pointer, i64});
  declare(kConstantFunction, i32, {pointer, pointer, i64, pointer});
}

//===----------------------------------------------------------------------===//
// Weights and constants
//===----------------------------------------------------------------------===//

/// Bytes of a constant as a global of integers or floats LLVM can write.
LogicalResult ModuleLowering::addConstant(Operation *op, StringRef symbol,
                                          ElementsAttr value) {
  Type element = value.getElementType();
  if (!element.isIntOrFloat() || isa<SparseElementsAttr>(value))
    return op->emitOpError("expected a dense constant of integers or floats, "
                           "got ")
           << value;
  Attribute attribute = value;
  if (auto dense = dyn_cast<DenseElementsAttr>(value)) {
    if (element.isFloat(8)) // LLVM has no FP8: the same bits as integers
      attribute = dense.bitcast(b.getI8Type());
  }
  Type scalar = element.isFloat(8) ? Type(b.getI8Type()) : element;
  std::string name = ("constant_" + symbol).str();
  auto type = LLVM::LLVMArrayType::get(scalar, value.getNumElements());
  auto shape = RankedTensorType::get({value.getNumElements()}, scalar);
  if (auto dense = dyn_cast<DenseElementsAttr>(attribute))
    attribute = dense.reshape(shape);
  tables.globals[symbol] = makeGlobal(name, type, attribute).getSymNameAttr();
  return success();
}

/// The names of a weight's tensors, which tell weights apart.
static std::string getTensorNames(StringRef key, StringRef last) {
  return last.empty() ? key.str() : (key + " then " + last).str();
}

/// Those of the weight whose scales have these names, or nothing.
static std::string getNamesOfScaled(deepseek::WeightOp weight, StringRef key,
                                    StringRef last) {
  if (weight.getDerived())
    return key.consume_back("_scale") ? key.str() : "";
  if (!key.consume_back("_scale_inv") ||
      (!last.empty() && !last.consume_back("_scale_inv")))
    return "";
  return getTensorNames(key, last);
}

/// The name of a weight in the table: of a derived one, its symbol.
static StringRef getKey(deepseek::WeightOp weight) {
  return weight.getDerived() ? weight.getSymName() : *weight.getKey();
}

LogicalResult ModuleLowering::collectWeights() {
  llvm::StringMap<int64_t> byNames;
  SmallVector<deepseek::WeightOp> weights(module.getOps<deepseek::WeightOp>());
  llvm::StringMap<bool> powerOfTwo;
  for (deepseek::WeightOp weight : weights) {
    if (ElementsAttr value = weight.getValueAttr()) {
      if (failed(addConstant(weight, weight.getSymName(), value)))
        return failure();
      continue;
    }
    std::string names =
        getTensorNames(getKey(weight), weight.getLastKey().value_or(""));
    int64_t index = byNames.size();
    if (!byNames.try_emplace(names, index).second)
      return weight.emitOpError()
             << "names the key '" << names << "', as another weight does";
    tables.weights[weight.getSymName()] = index;
    BlockScaledAttr scaled = getBlockScaled(weight.getType());
    powerOfTwo[names] = scaled && scaled.getFormat() == ScaleFormat::PowerOfTwo;
  }
  for (deepseek::WeightOp weight : weights) {
    if (weight.getValueAttr())
      continue;
    StringRef key = getKey(weight), last = weight.getLastKey().value_or("");
    auto type = cast<RankedTensorType>(weight.getType());
    int64_t dtype = getDtypeCode(type.getElementType());
    if (dtype < 0 || type.getRank() > DSRT_MAX_RANK)
      return weight.emitOpError()
             << "has the type " << type << ", which no weight can have";
    weightRows.append({intern(key), dtype, type.getRank()});
    for (int64_t dim = 0; dim < DSRT_MAX_RANK; ++dim)
      weightRows.push_back(dim < type.getRank() ? type.getDimSize(dim) : 1);
    std::string owner = getNamesOfScaled(weight, key, last);
    auto found = byNames.find(owner);
    int64_t scaleOf = found == byNames.end() ? -1 : found->second;
    bool stacked = key.contains('*') || weight->hasAttr(kStackedAttr);
    weightRows.append({int64_t(stacked), scaleOf,
                       int64_t(powerOfTwo.lookup(owner)),
                       last.empty() ? -1 : intern(last),
                       int64_t(weight.getDerived()), /*readers=*/0});
  }
  return success();
}

/// "file:line:column" of each check.
void ModuleLowering::addLocations() {
  int64_t count = 0;
  module.walk([&](dsrt::ExpectOp expect) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    if (auto file = expect.getLoc()->findInstanceOf<FileLineColLoc>())
      stream << file.getFilename().getValue() << ':' << file.getLine() << ':'
             << file.getColumn();
    else
      stream << expect.getLoc();
    std::string name = ("location_" + Twine(count++)).str();
    tables.locations[expect] = makeString(name, text).getSymNameAttr();
  });
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

LogicalResult ModuleLowering::appendValue(Rows &rows, Type type, StringRef name,
                                          Attribute bounds, Location where) {
  ArrayRef<int64_t> shape;
  bool contiguous = true;
  if (auto memref = dyn_cast<MemRefType>(type)) {
    shape = memref.getShape();
    contiguous = memref.getLayout().isIdentity();
  }
  int64_t dtype = getDtypeCode(getElementTypeOrSelf(type));
  if (dtype < 0 || shape.size() > DSRT_MAX_RANK || !contiguous)
    return emitError(where) << "an entry cannot have a value of type " << type;
  rows.append({intern(name), dtype, int64_t(shape.size())});
  for (size_t dim = 0; dim < DSRT_MAX_RANK; ++dim)
    rows.push_back(dim >= shape.size()                 ? 1
                   : ShapedType::isDynamic(shape[dim]) ? -1
                                                       : shape[dim]);
  auto limit = dyn_cast_or_null<DenseI64ArrayAttr>(bounds);
  for (size_t dim = 0; dim < DSRT_MAX_RANK; ++dim) {
    int64_t size = dim < shape.size() ? shape[dim] : 1;
    if (limit && dim < size_t(limit.size()))
      rows.push_back(limit[dim]);
    else
      rows.push_back(ShapedType::isDynamic(size) ? -1 : size);
  }
  return success();
}

/// What the plan says of an argument. On a device a step is replayed for as
/// long as its sizes stay the same, so one that is not read says so by the
/// bound 0.
Attribute ModuleLowering::getBounds(func::FuncOp func, unsigned argument) {
  Value value = func.getArgument(argument);
  if (tables.device && value.getType().isIndex() && value.use_empty())
    return b.getDenseI64ArrayAttr({0});
  return func.getArgAttr(argument, dsrt::kBoundsAttr);
}

static SmallVector<StringRef> collectReadWeights(func::FuncOp func) {
  SmallVector<StringRef> names;
  func.walk([&](dsrt::GetWeightOp get) { names.push_back(get.getWeight()); });
  return names;
}

/// Sets the bit of entry `entry` in the rows of the weights that it reads.
void ModuleLowering::noteReader(ArrayRef<StringRef> names, size_t entry) {
  constexpr int64_t row = sizeof(dsrt_weight) / sizeof(int64_t);
  constexpr int64_t field = offsetof(dsrt_weight, readers) / sizeof(int64_t);
  for (StringRef name : names) {
    auto index = tables.weights.find(name);
    if (index != tables.weights.end() && entry < 64)
      weightRows[index->second * row + field] |= int64_t(1) << entry;
  }
}

LogicalResult ModuleLowering::lowerEntries() {
  SmallVector<func::FuncOp> funcs(module.getOps<func::FuncOp>());
  for (func::FuncOp func : funcs) {
    Entry entry;
    entry.name = func.getName().str();
    entry.argCount = func.getNumArguments();
    entry.resultCount = func.getNumResults();
    auto bytes = func->getAttrOfType<IntegerAttr>(dsrt::kWorkspaceBytesAttr);
    entry.workspaceBytes = bytes ? bytes.getInt() : 0;
    auto nameOf = [](Attribute attribute, const char *kind, unsigned index) {
      auto name = dyn_cast_or_null<StringAttr>(attribute);
      return name ? name.getValue().str() : kind + std::to_string(index);
    };
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      if (failed(appendValue(entry.args, func.getArgument(i).getType(),
                             nameOf(func.getArgAttr(i, kNameAttr), "arg", i),
                             getBounds(func, i), func.getLoc())))
        return failure();
    for (unsigned i = 0; i < func.getNumResults(); ++i)
      if (failed(appendValue(
              entry.results, func.getResultTypes()[i],
              nameOf(func.getResultAttr(i, kNameAttr), "result", i),
              func.getResultAttr(i, dsrt::kBoundsAttr), func.getLoc())))
        return failure();
    SmallVector<StringRef> readWeights = collectReadWeights(func);
    size_t first = entries.size();
    FailureOr<LLVM::LLVMFuncOp> lowered = EntryLowering(func, tables).run();
    if (failed(lowered))
      return failure();
    entry.function = *lowered;
    entries.push_back(entry);
    if (auto aliases = func->getAttrOfType<ArrayAttr>(dsrt::kAliasesAttr))
      for (StringAttr alias : aliases.getAsRange<StringAttr>()) {
        entry.name = alias.str();
        entries.push_back(entry);
      }
    for (size_t number = first; number < entries.size(); ++number)
      noteReader(readWeights, number);
    func.erase();
  }
  return success();
}

/// Kernels and their constants move beside the entries that call them. Kernels
/// of a GPU are launchers.
LogicalResult ModuleLowering::mergeKernels() {
  auto kernels = module.lookupSymbol<ModuleOp>(kKernelsModule);
  if (!kernels)
    return success();
  for (Operation &op : llvm::make_early_inc_range(*kernels.getBody())) {
    if (auto func = dyn_cast<LLVM::LLVMFuncOp>(op)) {
      if (!func.isExternal())
        func.setLinkage(LLVM::Linkage::Internal);
    } else if (!isa<LLVM::GlobalOp>(op)) {
      return op.emitOpError("is not legal in 'kernels' after stage 'device'");
    }
    op.moveBefore(module.getBody(), module.getBody()->end());
  }
  kernels.erase();
  return success();
}

//===----------------------------------------------------------------------===//
// Code for devices
//===----------------------------------------------------------------------===//

/// A row of the table of device functions.
LogicalResult ModuleLowering::addDeviceKernel(Attribute row, Location where) {
  DictionaryAttr kernel = dyn_cast<DictionaryAttr>(row);
  if (!kernel)
    kernel = b.getDictionaryAttr({});
  auto name = kernel.getAs<StringAttr>("name");
  auto location = kernel.getAs<StringAttr>("location");
  auto block = kernel.getAs<DenseI64ArrayAttr>("block");
  auto cluster = kernel.getAs<DenseI64ArrayAttr>("cluster");
  auto integer = [&](StringRef field, int64_t missing) {
    auto value = kernel.getAs<IntegerAttr>(field);
    return value ? value.getInt() : missing;
  };
  int64_t image = integer("image", -1);
  if (!name || !location || !block || block.size() != 3 || image < 0 ||
      image >= int64_t(images.size()) || (cluster && cluster.size() != 3))
    return emitError(where) << "expected in '" << kDeviceKernelsAttr
                            << "' a name, a location, an image and three sizes "
                               "of blocks and clusters, got "
                            << row;
  deviceKernelRows.append(
      {intern(name.getValue()), intern(location.getValue()), image});
  llvm::append_range(deviceKernelRows, block.asArrayRef());
  if (cluster)
    llvm::append_range(deviceKernelRows, cluster.asArrayRef());
  else
    deviceKernelRows.append({1, 1, 1});
  deviceKernelRows.append(
      {integer("shared_bytes", 0), integer("dependent", 0)});
  return success();
}

/// A record of the table of images, and the constants it points to.
void ModuleLowering::addImage(const DeviceImage &image) {
  auto makeBytes = [&](StringRef prefix, StringRef bytes) -> Attribute {
    return FlatSymbolRefAttr::get(
        makeString((prefix + image.chip).str(), bytes).getSymNameAttr());
  };
  images.push_back(
      {makeBytes("chip_", image.chip), makeBytes(kPtxGlobalPrefix, image.ptx),
       b.getI64IntegerAttr(image.ptx.size() + 1),
       image.cubin ? makeBytes("cubin_", *image.cubin) : b.getUnitAttr(),
       b.getI64IntegerAttr(image.cubin ? image.cubin->size() : 0)});
}

LogicalResult ModuleLowering::addDeviceTables(ModuleOp kernels) {
  if (auto bytes = kernels->getAttrOfType<IntegerAttr>(kScratchBytesAttr))
    scratchBytes = bytes.getInt();
  FailureOr<SmallVector<DeviceImage>> read = readImages(kernels);
  if (failed(read))
    return failure();
  for (const DeviceImage &image : *read)
    addImage(image);
  if (auto list = kernels->getAttrOfType<ArrayAttr>(kDeviceKernelsAttr))
    for (Attribute kernel : list)
      if (failed(addDeviceKernel(kernel, kernels.getLoc())))
        return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// The module's record
//===----------------------------------------------------------------------===//

void ModuleLowering::writeTables() {
  auto symbol = [&](LLVM::GlobalOp global) -> Attribute {
    return FlatSymbolRefAttr::get(global.getSymNameAttr());
  };
  auto number = [&](int64_t value) -> Attribute {
    return b.getI64IntegerAttr(value);
  };
  Rows kernelRows;
  for (auto &[name, sites] : tables.callSites)
    kernelRows.append({intern(name.getValue()), sites});
  SmallVector<SmallVector<Attribute>> records;
  int64_t workspace = 0;
  for (Entry &entry : entries) {
    if (entry.name != kPrepareEntry) // runs once, in memory of its own
      workspace = std::max(workspace, entry.workspaceBytes);
    records.push_back({symbol(makeString("name_" + entry.name, entry.name)),
                       FlatSymbolRefAttr::get(entry.function.getSymNameAttr()),
                       symbol(makeRows("args_" + entry.name, entry.args)),
                       symbol(makeRows("results_" + entry.name, entry.results)),
                       number(entry.argCount), number(entry.resultCount),
                       number(entry.workspaceBytes)});
  }
  SmallVector<ArrayRef<Attribute>> views(records.begin(), records.end());
  LLVM::GlobalOp entryTable = makeRecord(
      "entries", {pointer, pointer, pointer, pointer, i64, i64, i64}, views);
  Rows eos;
  if (auto attribute = module->getAttrOfType<DenseI64ArrayAttr>(kEosAttr))
    eos.assign(attribute.asArrayRef().begin(), attribute.asArrayRef().end());

  Attribute imageTable = b.getUnitAttr();
  if (!images.empty()) {
    SmallVector<ArrayRef<Attribute>> rows(images.begin(), images.end());
    imageTable = symbol(
        makeRecord("images", {pointer, pointer, i64, pointer, i64}, rows));
  }
  SmallVector<Attribute> record = {
      b.getI32IntegerAttr(static_cast<int32_t>(DSRT_MAGIC)),
      b.getI32IntegerAttr(DSRT_ABI_VERSION),
      symbol(makeString("model_name", moduleString(kModelAttr, "model"))),
      symbol(makeString("target_name", moduleString(kTargetAttr, "host"))),
      symbol(makeString("source_name", moduleString(kSourceAttr, ""))),
      symbol(makeString("strings", strings)),
      symbol(makeRows("weights", weightRows)),
      symbol(makeRows("kernels_table", kernelRows)), symbol(entryTable),
      symbol(makeRows("eos_tokens", eos)), number(tables.weights.size()),
      number(kernelRows.size() / 2), number(entries.size()), number(eos.size()),
      number(moduleInteger(kBosAttr, -1)),
      number(moduleInteger(kContextAttr, 0)), number(workspace),
      number(moduleInteger(kExpertsPerTokenAttr, 0)),
      // Known when machine code is made; ds-translate fills it in.
      symbol(makeString(kCpuFeaturesGlobal, "")), number(scratchBytes),
      imageTable, symbol(makeRows("device_kernels", deviceKernelRows)),
      number(images.size()),
      number(deviceKernelRows.size() * sizeof(int64_t) /
             sizeof(dsrt_device_kernel))};
  SmallVector<Type> fields;
  for (Attribute field : record)
    fields.push_back(isa<FlatSymbolRefAttr, UnitAttr>(field)
                         ? Type(pointer)
                         : cast<IntegerAttr>(field).getType());
  LLVM::GlobalOp global = makeRecord("module_record", fields, {record});

  b.setInsertionPointToEnd(module.getBody());
  auto query = LLVM::LLVMFuncOp::create(
      b, loc, "dsrt_module_query", LLVM::LLVMFunctionType::get(pointer, {i32}));
  b.setInsertionPointToStart(query.addEntryBlock(b));
  Value address =
      LLVM::AddressOfOp::create(b, loc, pointer, global.getSymName());
  LLVM::ReturnOp::create(b, loc, address);
}

LogicalResult ModuleLowering::run() {
  auto kernels = module.lookupSymbol<ModuleOp>(kKernelsModule);
  tables.device = kernels && kernels->hasAttr(kImagesAttr);
  declareRuntime();
  if (kernels && failed(addDeviceTables(kernels)))
    return failure();
  if (failed(collectWeights()))
    return failure();
  for (auto global : module.getOps<memref::GlobalOp>())
    if (auto value =
            dyn_cast_or_null<ElementsAttr>(global.getInitialValueAttr()))
      if (failed(addConstant(global, global.getSymName(), value)))
        return failure();
  addLocations();
  if (failed(lowerEntries()) || failed(mergeKernels()))
    return failure();
  writeTables();
  for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
    if (isa<deepseek::WeightOp, memref::GlobalOp>(op))
      op.erase();
  return success();
}

struct ConvertDSRTToLLVM
    : deepseek::impl::ConvertDSRTToLLVMBase<ConvertDSRTToLLVM> {
  void runOnOperation() override {
    if (failed(ModuleLowering(getOperation()).run()))
      signalPassFailure();
  }
};

} // namespace
