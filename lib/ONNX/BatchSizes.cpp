//===- BatchSizes.cpp - sizes that are multiples of the batch -------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// ONNX does not compute with names of sizes. So types are inferred again, with numbers in the place of the batch's
// name: a size that is the same multiple of all is that multiple of the batch. For 1 what only follows the batch where
// that is larger than another size is that other size; 1 and 2 tell the batch from what is rounded (2 * ((N - 1) / 2) +
// 1); and of a prime larger than any size of a network nothing else looks like a multiple.
//
// A name stands for one size in the whole model: what holds for the name of a first size holds wherever it stands, be
// it in a Loop's body, into which numbers would not get.
//
//===----------------------------------------------------------------------===//

#include "BatchSizes.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/CheckedArithmetic.h"

using namespace deepshare;

/// Sizes by their names; nothing for names that a file gives to several.
using Names = llvm::StringMap<std::optional<Dim>>;

/// The first size of \p V, if that is no number, no multiple of a named size and not among \p Named.
static const Dim *openFirstSize(const Value &V, const llvm::StringSet<> &Named) {
  const Dim *First = firstSize(V);
  return !First || First->isFixed() || First->factor() > 1 || Named.contains(First->symbol()) ? nullptr : First;
}

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

static void replaceSizes(Value &V, llvm::function_ref<Dim(const Dim &)> Replace) {
  if (!V.type() || !V.type()->Dims)
    return;
  Shape Dims;
  for (const Dim &Size : *V.type()->Dims)
    Dims.push_back(Replace(Size));
  V.setType(TensorType{V.type()->Element, std::move(Dims)});
}

/// A copy of \p M in which \p Batch is a number; an error if \p Infer fails for it.
static llvm::Expected<std::unique_ptr<Model>> inferFor(const Model &M, llvm::StringRef Batch, int64_t Number,
                                                       llvm::function_ref<llvm::Error(Model &)> Infer) {
  std::unique_ptr<Model> Copy = M.clone();
  for (Value *V : valuesOf(*Copy))
    replaceSizes(*V, [&](const Dim &Size) {
      std::optional<int64_t> Product = llvm::checkedMul(Size.factor(), Number);
      return Product && Size == Dim::multiple(Size.factor(), Batch) ? Dim::fixed(*Product) : Size;
    });
  if (llvm::Error Failed = Infer(*Copy))
    return Failed;
  return Copy;
}

static constexpr int64_t Numbers[] = {1, 2, 999'983};

/// The factor by which \p Sizes, one for each of Numbers, are these; nothing if they are no multiple, or not known.
static std::optional<int64_t> commonFactor(llvm::ArrayRef<const Dim *> Sizes) {
  if (!llvm::all_of(Sizes, [](const Dim *Size) { return Size && Size->isFixed(); }))
    return std::nullopt;
  int64_t Factor = Sizes.front()->size(); // for 1
  bool IsCommon = Factor >= 1 && llvm::all_of(llvm::zip_equal(Numbers, Sizes), [&](auto Each) {
                    auto [Number, Size] = Each;
                    return Size->size() % Number == 0 && Size->size() / Number == Factor;
                  });
  return IsCommon ? std::optional(Factor) : std::nullopt;
}

/// Makes known what the sizes of \p M tell; true if there was something.
static bool inferRound(Model &M, llvm::StringRef Batch, const llvm::StringSet<> &Named,
                       llvm::function_ref<llvm::Error(Model &)> Infer) {
  std::vector<Value *> Values = valuesOf(M);
  if (llvm::none_of(Values, [&](const Value *V) { return openFirstSize(*V, Named); }))
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
  Names Known;
  for (size_t I = 0; I < Values.size(); ++I) {
    Value &V = *Values[I];
    const Dim *First = openFirstSize(V, Named);
    if (!First)
      continue;
    llvm::SmallVector<const Dim *, 3> Sizes;
    for (llvm::ArrayRef<Value *> Of : Inferred)
      Sizes.push_back(firstSize(*Of[I]));
    std::optional<Dim> Multiple;
    if (std::optional<int64_t> Factor = commonFactor(Sizes))
      Multiple = Dim::multiple(*Factor, Batch);
    if (First->isSymbolic()) {
      // Names that ONNX makes stand for one size, whether or not all that have them can be inferred.
      if (First->symbol().starts_with("unk__") && !(Sizes.front() && Sizes.front()->isFixed()))
        continue;
      std::optional<Dim> &OfName = Known.try_emplace(First->symbol(), Multiple).first->second;
      if (OfName != Multiple)
        OfName = std::nullopt;
    } else if (Multiple) {
      replaceSizes(V, [&](const Dim &Size) { return &Size == First ? *Multiple : Size; });
      Changed = true;
    }
  }
  for (Value *V : Values)
    replaceSizes(*V, [&](const Dim &Size) {
      auto Found = Known.find(Size.symbol());
      bool IsKnown = Found != Known.end() && Found->second;
      Changed |= IsKnown;
      return IsKnown ? *Found->second : Size;
    });
  return Changed;
}

void deepshare::onnx::inferBatchSizes(Model &M, llvm::function_ref<llvm::Error(Model &)> Infer) {
  // What is known behind a Loop tells more of what comes after it. Deeper chains than this stay unknown.
  constexpr unsigned MostRounds = 4;
  const Dim *Batch = batchSize(M.graph());
  if (!Batch || !Batch->isSymbolic())
    return;
  std::string Name = Batch->symbol().str();
  llvm::StringSet<> Named;
  for (const Value *Input : M.graph().inputs())
    if (Input->type() && Input->type()->Dims)
      for (const Dim &Size : *Input->type()->Dims)
        if (Size.isSymbolic())
          Named.insert(Size.symbol());
  for (unsigned Round = 0; Round < MostRounds && inferRound(M, Name, Named, Infer); ++Round)
    ;
}
