//===- BatchSizes.cpp - sizes that follow from the batch ------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// ONNX does not compute with names of sizes. So types are inferred again, with numbers in the place of a batch's name:
// a size that is the same multiple of all is that multiple of the batch, and one that is the same for all does not
// depend on it. For 1 what only follows the batch where that is larger than another size is that other size; 1 and 2
// tell the batch from what is rounded (2 * ((N - 1) / 2) + 1); and of a prime larger than any size of a network nothing
// else looks like a multiple.
//
// A name stands for one size in the whole model: what holds for a name holds wherever it stands, be it in a Loop's
// body, into which numbers would not get. Only a graph's outputs are known to have names that are wrong: exporters ask
// people for them.
//
//===----------------------------------------------------------------------===//

#include "BatchSizes.h"

#include "fmt/format.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/CheckedArithmetic.h"

using namespace deepshare;

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

/// Replaces sizes of \p V, which \p Replace gets with their axes; true if there was one that is another now.
static bool replaceSizes(Value &V, llvm::function_ref<Dim(unsigned Axis, const Dim &)> Replace) {
  if (!V.type() || !V.type()->Dims)
    return false;
  Shape Dims;
  for (auto [Axis, Size] : llvm::enumerate(*V.type()->Dims))
    Dims.push_back(Replace(Axis, Size));
  if (Dims == *V.type()->Dims)
    return false;
  V.setType(TensorType{V.type()->Element, std::move(Dims)});
  return true;
}

/// True if \p V is an output of the model that a node computes.
static bool isOutput(const Value &V, const Graph &Main) {
  return V.producer() && V.isGraphOutput() && V.parent() == &Main;
}

/// A copy of \p M in which \p Batch is a number; an error if \p Infer fails for it.
static llvm::Expected<std::unique_ptr<Model>> inferFor(const Model &M, llvm::StringRef Batch, int64_t Number,
                                                       llvm::function_ref<llvm::Error(Model &)> Infer) {
  std::unique_ptr<Model> Copy = M.clone();
  for (Value *V : valuesOf(*Copy))
    replaceSizes(*V, [&](unsigned, const Dim &Size) {
      if (!Size.isFixed() && isOutput(*V, Copy->graph()))
        return Dim();
      std::optional<int64_t> Product = llvm::checkedMul(Size.factor(Batch).value_or(0), Number);
      return Product && *Product > 0 ? Dim::fixed(*Product) : Size;
    });
  if (llvm::Error Failed = Infer(*Copy))
    return Failed;
  return Copy;
}

/// The size of an axis of \p V; null if it is not known whether there is one.
static const Dim *sizeOf(const Value &V, unsigned Axis) {
  return V.type() && V.type()->Dims && Axis < V.type()->Dims->size() ? &(*V.type()->Dims)[Axis] : nullptr;
}

static constexpr int64_t Numbers[] = {1, 2, 999'983};

/// The size that \p Sizes, one for each number in the place of \p Batch, are; nothing if one is not known, or if they
/// are neither all the same nor the same multiple.
static std::optional<Dim> commonSize(llvm::ArrayRef<const Dim *> Sizes, llvm::StringRef Batch) {
  if (!llvm::all_of(Sizes, [](const Dim *Size) { return Size && Size->isFixed(); }))
    return std::nullopt;
  int64_t ForOne = Sizes.front()->size();
  if (llvm::all_of(Sizes, [&](const Dim *Size) { return Size->size() == ForOne; }))
    return Dim::fixed(ForOne);
  bool IsMultiple = ForOne >= 1 && llvm::all_of(llvm::zip_equal(Numbers, Sizes), [&](auto Each) {
                      auto [Number, Size] = Each;
                      return Size->size() % Number == 0 && Size->size() / Number == ForOne;
                    });
  return IsMultiple ? std::optional(Dim::multiple(ForOne, Batch)) : std::nullopt;
}

namespace {
class BatchSizes {
public:
  BatchSizes(Model &M, llvm::function_ref<llvm::Error(Model &)> Infer);

  void infer();

private:
  bool inferRound(llvm::StringRef Batch);
  bool isOpen(const Dim &Size) const;

  Model &M;
  llvm::function_ref<llvm::Error(Model &)> Infer;
  std::vector<std::string> Given;   ///< names in the inputs' sizes
  std::vector<std::string> Batches; ///< those of first sizes
};
} // namespace

BatchSizes::BatchSizes(Model &M, llvm::function_ref<llvm::Error(Model &)> Infer) : M(M), Infer(Infer) {
  auto Add = [](std::vector<std::string> &Names, const Dim &Size) {
    if (Size.isSymbolic() && !llvm::is_contained(Names, Size.symbol()))
      Names.push_back(Size.symbol().str());
  };
  for (const Value *Input : M.graph().inputs()) {
    if (const Dim *First = firstSize(*Input))
      Add(Batches, *First);
    if (Input->type() && Input->type()->Dims)
      for (const Dim &Size : *Input->type()->Dims)
        Add(Given, Size);
  }
}

/// True if \p Size is neither a number nor a multiple of what an input has.
bool BatchSizes::isOpen(const Dim &Size) const {
  return !Size.isFixed() && llvm::none_of(Given, [&](llvm::StringRef Name) { return Size.factor(Name); });
}

/// Makes known what the sizes tell that depend on \p Batch alone; true if there was something.
bool BatchSizes::inferRound(llvm::StringRef Batch) {
  std::vector<Value *> Values = valuesOf(M);
  if (llvm::none_of(Values, [&](const Value *V) {
        return V->type() && V->type()->Dims &&
               llvm::any_of(*V->type()->Dims, [&](const Dim &Size) { return isOpen(Size); });
      }))
    return false;
  std::vector<std::unique_ptr<Model>> Copies;
  std::vector<std::vector<Value *>> Inferred;
  for (int64_t Number : Numbers) {
    llvm::Expected<std::unique_ptr<Model>> Copy = inferFor(M, Batch, Number, Infer);
    if (!Copy) { // what cannot be inferred for a number stays unknown
      llvm::consumeError(Copy.takeError());
      return false;
    }
    Copies.push_back(std::move(*Copy));
    Inferred.push_back(valuesOf(*Copies.back()));
  }
  bool Changed = false;
  llvm::StringMap<std::optional<Dim>> OfNames; // nothing for names that a file gives to several sizes
  for (auto [I, V] : llvm::enumerate(Values))
    Changed |= replaceSizes(*V, [&](unsigned Axis, const Dim &Size) {
      bool IsOpen = isOpen(Size), IsDeclared = !Size.isFixed() && isOutput(*V, M.graph());
      if (!IsOpen && !IsDeclared)
        return Size;
      llvm::SmallVector<const Dim *, 3> Sizes;
      for (llvm::ArrayRef<Value *> Of : Inferred)
        Sizes.push_back(sizeOf(*Of[I], Axis));
      std::optional<Dim> Common = commonSize(Sizes, Batch);
      if (!IsOpen || !Size.isSymbolic())
        return Common.value_or(Size);
      // Names that ONNX makes stand for one size, whether or not all that have them can be inferred.
      if (Size.symbol().starts_with("unk__") && !(Sizes.front() && Sizes.front()->isFixed()))
        return Size;
      std::optional<Dim> &OfName = OfNames.try_emplace(Size.symbol(), Common).first->second;
      if (OfName != Common)
        OfName = std::nullopt;
      return Size;
    });
  for (Value *V : Values)
    Changed |= replaceSizes(*V, [&](unsigned, const Dim &Size) {
      auto Found = OfNames.find(Size.symbol());
      return Found != OfNames.end() ? Found->second.value_or(Size) : Size;
    });
  return Changed;
}

void BatchSizes::infer() {
  // What is known behind a Loop tells more of what comes after it. Deeper chains than this, and inputs of more batches
  // than networks have, stay unknown.
  constexpr unsigned MostRounds = 4, MostBatches = 4;
  for (llvm::StringRef Batch : llvm::ArrayRef(Batches).take_front(MostBatches))
    for (unsigned Round = 0; Round < MostRounds && inferRound(Batch); ++Round)
      ;
}

void deepshare::onnx::inferBatchSizes(Model &M, llvm::function_ref<llvm::Error(Model &)> Infer) {
  BatchSizes(M, Infer).infer();
}

void deepshare::onnx::nameBatches(Model &M) {
  llvm::StringSet<> Names;
  for (Value *V : valuesOf(M))
    replaceSizes(*V, [&](unsigned, const Dim &Size) {
      Names.insert(Size.symbol());
      return Size;
    });
  for (Value *Input : M.graph().inputs())
    replaceSizes(*Input, [&](unsigned Axis, const Dim &Size) {
      if (Axis > 0 || Size.isFixed() || Size.isSymbolic())
        return Size;
      std::string Name = "batch";
      for (unsigned Suffix = 1; !Names.insert(Name).second; ++Suffix)
        Name = fmt::format("batch_{}", Suffix);
      return Dim::symbolic(Name);
    });
}
