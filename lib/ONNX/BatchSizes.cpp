//===- BatchSizes.cpp - sizes that are multiples of the batch -------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// ONNX does not compute with names of sizes. So types are inferred twice more, with two numbers in the place of the
// batch's name: a size that is the same multiple of both is that multiple of the batch. The numbers are primes, larger
// than any other size of a network, so that nothing else looks like a multiple.
//
//===----------------------------------------------------------------------===//

#include "BatchSizes.h"

#include "Types.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace deepshare;
using namespace deepshare::onnx;

using Sizes = llvm::StringMap<int64_t>;

/// The name of the batch's size: the first one of the first input; empty if it has none.
static llvm::StringRef batchName(const Graph &G) {
  for (const Value *Input : G.inputs())
    if (!Input->isInitializer()) {
      bool HasFirst = Input->type() && Input->type()->Dims && !Input->type()->Dims->empty();
      return HasFirst ? Input->type()->Dims->front().symbol() : "";
    }
  return "";
}

/// The first size of \p V, if it is no number, no multiple of a named size and not among \p Named.
static Dim *openFirstSize(TensorType &Type, const llvm::StringSet<> &Named) {
  if (!Type.Dims || Type.Dims->empty())
    return nullptr;
  Dim &First = Type.Dims->front();
  return First.isFixed() || First.factor() > 1 || Named.contains(First.symbol()) ? nullptr : &First;
}

static void replaceName(TypeProto &Type, llvm::StringRef Name, int64_t Number) {
  if (Type.has_tensor_type())
    for (TensorShapeProto::Dimension &Size : *Type.mutable_tensor_type()->mutable_shape()->mutable_dim())
      if (Size.has_dim_param() && Size.dim_param() == Name)
        Size.set_dim_value(Number);
}

static void replaceName(GraphProto &G, llvm::StringRef Name, int64_t Number) {
  for (auto *Values : {G.mutable_input(), G.mutable_value_info(), G.mutable_output()})
    for (ValueInfoProto &Info : *Values)
      if (Info.type().tensor_type().has_shape())
        replaceName(*Info.mutable_type(), Name, Number);
  for (NodeProto &N : *G.mutable_node())
    for (AttributeProto &A : *N.mutable_attribute()) {
      if (A.has_g())
        replaceName(*A.mutable_g(), Name, Number);
      for (GraphProto &Inner : *A.mutable_graphs())
        replaceName(Inner, Name, Number);
    }
}

/// First sizes of the values of \p P, those that are numbers.
static Sizes firstSizes(const GraphProto &P) {
  Sizes Result;
  for (const auto *Values : {&P.value_info(), &P.output()})
    for (const ValueInfoProto &Info : *Values)
      if (std::optional<TensorType> Type = readType(Info.type()); Type && Type->Dims && !Type->Dims->empty())
        if (const Dim &First = Type->Dims->front(); First.isFixed())
          Result[Info.name()] = First.size();
  return Result;
}

void deepshare::onnx::inferBatchSizes(Model &M, llvm::function_ref<void(ModelProto &)> Export,
                                      llvm::function_ref<llvm::Error(ModelProto &)> Infer) {
  std::string Batch = batchName(M.graph()).str();
  if (Batch.empty())
    return;
  llvm::StringSet<> Named{Batch};
  for (const Value *Input : M.graph().inputs())
    if (Input->type() && Input->type()->Dims)
      for (const Dim &Size : *Input->type()->Dims)
        if (Size.isSymbolic())
          Named.insert(Size.symbol());
  llvm::SmallVector<Value *> Open;
  for (Node &N : M.graph())
    for (Value *Output : N.outputs())
      if (std::optional<TensorType> Type = Output->type(); Type && openFirstSize(*Type, Named))
        Open.push_back(Output);
  if (Open.empty())
    return;

  constexpr int64_t Numbers[] = {999'983, 1'000'003};
  llvm::SmallVector<Sizes, 2> Found;
  for (int64_t Number : Numbers) {
    ModelProto P;
    Export(P);
    replaceName(*P.mutable_graph(), Batch, Number);
    if (llvm::Error Failed = Infer(P)) {
      llvm::consumeError(std::move(Failed)); // what cannot be inferred for a number stays unknown
      return;
    }
    Found.push_back(firstSizes(P.graph()));
  }
  for (Value *V : Open) {
    int64_t A = Found[0].lookup(V->name()), B = Found[1].lookup(V->name());
    int64_t Factor = A / Numbers[0];
    if (Factor < 1 || A != Factor * Numbers[0] || B % Numbers[1] != 0 || B / Numbers[1] != Factor)
      continue;
    TensorType Type = *V->type();
    *openFirstSize(Type, Named) = Dim::multiple(Factor, Batch);
    V->setType(std::move(Type));
  }
}
