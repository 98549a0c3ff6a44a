//===- BatchSizes.cpp - sizes that follow from the batch ------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// ONNX does not compute with names of sizes. So types are inferred again, with numbers in the place of a batch's name:
// a size that is the same multiple of all is that multiple of the batch, and one that is the same for all does not
// depend on it. For 1 what only follows the batch where that is larger than another size is that other size; 1, 2 and 6
// tell the batch from what is rounded (2 * ((N - 1) / 2) + 1) or cut off; and few things look like a multiple of a
// prime larger than any size of a network.
//
// A name stands for one size in the main graph, so what holds for one holds wherever it stands: be it in a Loop's body,
// into which numbers would not get. Two kinds of names are not believed. Those of outputs are asked of people by
// exporters (dynamic_axes), who call "N" what is not; they are taken away before anything follows from them, and given
// back where nothing better is known. And names in a body are its own, whatever the main graph means by them.
//
//===----------------------------------------------------------------------===//

#include "BatchSizes.h"

#include "fmt/format.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/CheckedArithmetic.h"

#include <array>

using namespace deepshare;
using deepshare::onnx::TypeInference;
using llvm::ArrayRef;
using llvm::StringRef;

/// All values of \p G and the graphs in it but initialisers; those of a copy in the same order.
static void collectValues(Graph &G, std::vector<Value *> &Into) {
  llvm::append_range(Into, G.inputs());
  for (Node &N : G) {
    llvm::append_range(Into, N.outputs());
    for (Graph *Inner : N.subgraphs())
      collectValues(*Inner, Into);
  }
}

static std::vector<Value *> valuesOf(Model &M) {
  std::vector<Value *> Values;
  collectValues(M.graph(), Values);
  return Values;
}

/// Adds the names that sizes of \p V have.
static void addNames(llvm::StringSet<> &Names, const Value &V) {
  for (const Dim &Size : knownSizes(V))
    if (Size.isSymbolic())
      Names.insert(Size.symbol());
}

/// Replaces sizes of \p V, which \p Replace gets with their axes; true if there was one that is another now.
static bool replaceSizes(Value &V, llvm::function_ref<Dim(unsigned Axis, const Dim &)> Replace) {
  Shape Sizes;
  for (auto [Axis, Size] : llvm::enumerate(knownSizes(V)))
    Sizes.push_back(Replace(Axis, Size));
  if (ArrayRef(Sizes) == knownSizes(V))
    return false;
  V.setType(TensorType{V.type()->Element, std::move(Sizes)});
  return true;
}

namespace {
constexpr std::array<int64_t, 4> Numbers = {1, 2, 6, 999'983};
/// A size for each of them.
using NumberedSizes = std::array<int64_t, Numbers.size()>;

/// A name that a file gives a size of an output.
struct DeclaredSize {
  Value *Output;
  unsigned Axis;
  Dim Size;
};

class BatchSizes {
public:
  BatchSizes(Model &M, TypeInference Infer) : M(M), Infer(Infer) {}

  llvm::Error infer();

private:
  void collectFileNames();
  void nameBatches();
  std::vector<StringRef> batchesByRank() const;
  std::vector<DeclaredSize> takeDeclared();
  void giveBack(ArrayRef<DeclaredSize> Declared);
  llvm::Expected<std::unique_ptr<Model>> inferFor(StringRef Batch, int64_t Number) const;
  bool inferRound(StringRef Batch);
  bool isOpen(const Dim &Size) const { return !Size.isFixed() && !Size.multipleOf(InputNames); }

  Model &M;
  TypeInference Infer;
  llvm::StringSet<> FileNames;  ///< of sizes, before anything is inferred
  llvm::StringSet<> InputNames; ///< of sizes
};
} // namespace

void BatchSizes::collectFileNames() {
  for (const Value *V : valuesOf(M))
    addNames(FileNames, *V);
}

/// Names first sizes of inputs that have neither a number nor a name: "batch", "batch_1".
void BatchSizes::nameBatches() {
  unsigned Suffix = 0;
  for (Value *Input : M.graph().inputs()) {
    replaceSizes(*Input, [&](unsigned Axis, const Dim &Size) {
      if (Axis > 0 || Size.isFixed() || Size.isSymbolic())
        return Size;
      std::string Name = "batch";
      for (; FileNames.contains(Name); Name = fmt::format("batch_{}", Suffix))
        ++Suffix;
      FileNames.insert(Name);
      return Dim::symbolic(Name);
    });
    addNames(InputNames, *Input);
  }
}

/// The names of inputs' first sizes, each once; those of images come before those of vectors.
std::vector<StringRef> BatchSizes::batchesByRank() const {
  std::vector<ArrayRef<Dim>> Inputs;
  for (const Value *Input : M.graph().inputs())
    if (ArrayRef<Dim> Sizes = knownSizes(*Input); !Sizes.empty() && Sizes.front().isSymbolic())
      Inputs.push_back(Sizes);
  llvm::stable_sort(Inputs, [](ArrayRef<Dim> A, ArrayRef<Dim> B) { return A.size() > B.size(); });
  std::vector<StringRef> Batches;
  llvm::StringSet<> Seen;
  for (ArrayRef<Dim> Sizes : Inputs)
    if (auto [Entry, IsNew] = Seen.insert(Sizes.front().symbol()); IsNew)
      Batches.push_back(InputNames.find(Entry->getKey())->getKey());
  return Batches;
}

/// Takes away what the file calls sizes that operators of ONNX compute for outputs, which is returned, and sizes in
/// bodies. What ONNX calls them (unk__0), perhaps in an earlier run, stays; of other operators nothing else is known.
std::vector<DeclaredSize> BatchSizes::takeDeclared() {
  std::vector<DeclaredSize> Declared;
  for (Value *V : valuesOf(M)) {
    bool IsInMain = V->parent() == &M.graph();
    if (IsInMain && !(V->isGraphOutput() && V->producer() && V->producer()->domain().empty()))
      continue;
    replaceSizes(*V, [&](unsigned Axis, const Dim &Size) {
      if (!Size.isSymbolic() || Size.symbol().starts_with("unk__"))
        return Size;
      if (IsInMain)
        Declared.push_back({V, Axis, Size});
      return Dim();
    });
  }
  return Declared;
}

/// Gives sizes of outputs that are still not known their names, unless these would say that they are an input's.
void BatchSizes::giveBack(ArrayRef<DeclaredSize> Declared) {
  for (const DeclaredSize &Each : Declared)
    if (isOpen(Each.Size))
      replaceSizes(*Each.Output, [&](unsigned Axis, const Dim &Size) {
        return Axis == Each.Axis && isOpen(Size) ? Each.Size : Size;
      });
}

/// A copy of the model in which \p Batch is a number; an error if that is none for which types can be inferred.
llvm::Expected<std::unique_ptr<Model>> BatchSizes::inferFor(StringRef Batch, int64_t Number) const {
  std::unique_ptr<Model> Copy = M.clone();
  for (Value *V : valuesOf(*Copy))
    replaceSizes(*V, [&](unsigned, const Dim &Size) {
      auto Multiple = Size.multipleOf(InputNames);
      if (!Multiple || Multiple->second != Batch)
        return Size;
      std::optional<int64_t> Product = llvm::checkedMul(Multiple->first, Number);
      return Product ? Dim::fixed(*Product) : Dim();
    });
  // Some operators fit no single image, such as a Reshape to pairs of rows.
  if (llvm::Error Failed = Infer(*Copy, /*Strict=*/false))
    return Failed;
  return Copy;
}

/// What \p Sizes are in terms of \p Batch, for which they were inferred with Numbers; nothing if they are neither the
/// same for all, nor the same multiple.
static std::optional<Dim> commonSize(const NumberedSizes &Sizes, StringRef Batch) {
  int64_t ForOne = Sizes.front();
  if (ForOne < 1)
    return std::nullopt;
  if (llvm::all_equal(Sizes))
    return Dim::fixed(ForOne);
  bool IsMultiple = llvm::all_of(llvm::zip_equal(Numbers, Sizes), [&](auto Each) {
    auto [Number, Size] = Each;
    return Size % Number == 0 && Size / Number == ForOne;
  });
  return IsMultiple ? std::optional(Dim::multiple(ForOne, Batch)) : std::nullopt;
}

/// Makes known what the sizes tell that depend on \p Batch alone; true if there was something.
bool BatchSizes::inferRound(StringRef Batch) {
  std::vector<Value *> Values = valuesOf(M);
  if (llvm::none_of(Values, [&](const Value *V) {
        return llvm::any_of(knownSizes(*V), [&](const Dim &Size) { return isOpen(Size); });
      }))
    return false;
  std::vector<std::unique_ptr<Model>> Copies;
  std::vector<std::vector<Value *>> Inferred;
  for (int64_t Number : Numbers) {
    llvm::Expected<std::unique_ptr<Model>> Copy = inferFor(Batch, Number);
    if (!Copy) { // what cannot be inferred for a number stays unknown
      llvm::consumeError(Copy.takeError());
      return false;
    }
    Copies.push_back(std::move(*Copy));
    Inferred.push_back(valuesOf(*Copies.back()));
  }
  auto SizesFor = [&](size_t Index, unsigned Axis) -> std::optional<NumberedSizes> {
    NumberedSizes Sizes;
    for (auto [Size, Of] : llvm::zip_equal(Sizes, Inferred)) {
      ArrayRef<Dim> Known = knownSizes(*Of[Index]);
      if (Axis >= Known.size() || !Known[Axis].isFixed())
        return std::nullopt;
      Size = Known[Axis].size();
    }
    return Sizes;
  };
  // Nothing for names that stand for several sizes. Those that ONNX has made since we began stand for one, whether or
  // not all that have them can be inferred.
  llvm::StringMap<std::optional<Dim>> SizeOfName;
  for (auto [Index, V] : llvm::enumerate(Values))
    for (auto [Axis, Size] : llvm::enumerate(knownSizes(*V))) {
      if (!isOpen(Size) || !Size.isSymbolic())
        continue;
      std::optional<NumberedSizes> Sizes = SizesFor(Index, Axis);
      if (!Sizes && !FileNames.contains(Size.symbol()))
        continue;
      std::optional<Dim> Common = Sizes ? commonSize(*Sizes, Batch) : std::nullopt;
      std::optional<Dim> &Known = SizeOfName.try_emplace(Size.symbol(), Common).first->second;
      if (Known != Common)
        Known = std::nullopt;
    }
  bool Changed = false;
  for (auto [Index, V] : llvm::enumerate(Values))
    Changed |= replaceSizes(*V, [&](unsigned Axis, const Dim &Size) {
      if (!isOpen(Size))
        return Size;
      if (Size.isSymbolic())
        return SizeOfName.lookup(Size.symbol()).value_or(Size);
      std::optional<NumberedSizes> Sizes = SizesFor(Index, Axis);
      return (Sizes ? commonSize(*Sizes, Batch) : std::nullopt).value_or(Size);
    });
  return Changed;
}

llvm::Error BatchSizes::infer() {
  // What is known behind a Loop tells more of what comes after it. Deeper chains than this, and inputs of more batches
  // than networks have, stay unknown.
  constexpr unsigned MostRounds = 4, MostBatches = 4;
  collectFileNames();
  nameBatches();
  std::vector<DeclaredSize> Declared = takeDeclared();
  if (llvm::Error Failed = Infer(M, /*Strict=*/true))
    return Failed;
  std::vector<StringRef> Batches = batchesByRank();
  Batches.resize(std::min<size_t>(Batches.size(), MostBatches));
  for (StringRef Batch : Batches)
    for (unsigned Round = 0; Round < MostRounds && inferRound(Batch); ++Round)
      ;
  giveBack(Declared);
  return llvm::Error::success();
}

llvm::Error deepshare::onnx::inferWithBatches(Model &M, TypeInference Infer) { return BatchSizes(M, Infer).infer(); }
