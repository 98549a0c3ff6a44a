//===- FoldConstants.cpp - evaluates what the file alone decides ----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   c = Constant()                       =>   c: initialiser
//   y = Mul(c1, c2)                      =>   y: initialiser, computed by lib/Exec
//   n = Gather(Shape(x), 1)              =>   n: initialiser, if dimension 1 of x is fixed
//   y = Reshape(x, [n, -1])              =>   y = Reshape(x, [0, -1]), if n is dimension 0 of x
//   y = Reshape(x, [n, 64])              =>   y = Reshape(x, [-1, 64]), whatever n is
//   y = Expand(x, [n, 3])                =>   y = Expand(x, [1, 3]), if n is dimension 0 of x [N,1]
//   y = Resize(x, sizes [n, 8])          =>   y = Resize(x, scales [1, 2]), if n is dimension 0 of x [N,4]
//
// The canonical form of a constant is an initialiser. A folded value that is an output of its graph becomes an Identity
// of one, since an initialiser cannot carry an output's name.
//
// A node is evaluated if
// 1. it is ONNX's own, has no subgraphs, and gives the same result each time (no random operator);
// 2. every input is a constant that callers cannot override;
// 3. lib/Exec runs it;
// 4. the result is known, before the evaluation, to be at most `max-growth` bytes larger than the inputs, and all such
//    results together at most `max-total`, so that no ConstantOfShape or Expand blows up the file or the memory.
//
// Operands that depend on a dynamic dimension (the batch) are followed element by element, see ShapeArithmetic.h.
// Rewriting a Reshape's target to -1 needs the other entries to be positive numbers, and to 0 that `allowzero` is off.
//
// Nodes that lose their last use stay for eliminate-dead-code.
//
// Scope: main graph and subgraphs. Functions stay as they are: their bodies cannot hold initialisers.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/FoldConstants.h"

#include "Purity.h"
#include "ShapeArithmetic.h"
#include "deepshare/Exec/Exec.h"
#include "deepshare/ONNX/ONNX.h"

#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Support/Debug.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <fmt/format.h>

#define DEBUG_TYPE "fold-constants"

using namespace deepshare;

static void reject(const Node &N, const llvm::Twine &Reason) {
  LLVM_DEBUG(llvm::dbgs() << "keeps '" << N.displayName() << "': " << Reason << '\n');
}

/// The tensor of a Constant node; nothing for one that is no dense tensor.
static std::optional<Tensor> valueOfConstant(const Node &N) {
  if (const auto *T = N.attributeAs<Tensor>("value"))
    return *T;
  if (const auto *I = N.attributeAs<int64_t>("value_int"))
    return Tensor::scalar<int64_t>(*I);
  if (const auto *F = N.attributeAs<float>("value_float"))
    return Tensor::scalar<float>(*F);
  if (const auto *S = N.attributeAs<std::string>("value_string"))
    return Tensor::strings({}, {*S});
  if (const auto *I = N.attributeAs<std::vector<int64_t>>("value_ints"))
    return Tensor::of<int64_t>({static_cast<int64_t>(I->size())}, llvm::ArrayRef<int64_t>(*I));
  if (const auto *F = N.attributeAs<std::vector<float>>("value_floats"))
    return Tensor::of<float>({static_cast<int64_t>(F->size())}, llvm::ArrayRef<float>(*F));
  if (const auto *S = N.attributeAs<std::vector<std::string>>("value_strings"))
    return Tensor::strings({static_cast<int64_t>(S->size())}, *S);
  return std::nullopt;
}

/// Infers the output types of \p N, whose inputs are all constants, from their elements. \p N itself is not touched.
static llvm::Expected<std::vector<std::optional<TensorType>>> inferTypes(const Node &N) {
  const Model &Of = N.parent()->model();
  Model Single;
  Single.opsets() = Of.opsets().vec();
  Single.setIRVersion(Of.irVersion());
  Graph &G = Single.graph();
  G.setName(N.displayName());
  llvm::SmallVector<Value *, 4> Inputs;
  for (const Value *Input : N.inputs())
    Inputs.push_back(Input ? G.addInitializer("input", *Input->constant()) : nullptr);
  Node *Copy = G.insertNode(G.end(), N.opType(), Inputs, N.domain());
  for (const Attribute &A : N.attributes())
    std::visit(
        [&](const auto &Payload) {
          using T = std::decay_t<decltype(Payload)>;
          if constexpr (!std::is_same_v<T, std::unique_ptr<Graph>> &&
                        !std::is_same_v<T, std::vector<std::unique_ptr<Graph>>>)
            Copy->addAttribute({A.Name, Payload, A.Unmodelled});
        },
        A.Value);
  for (const Value *Output : N.outputs()) {
    Value *Added = Copy->addOutput(Output->name());
    if (!Output->name().empty())
      G.addOutput(Added);
  }
  if (llvm::Error E = inferShapes(Single))
    return E;
  std::vector<std::optional<TensorType>> Types;
  for (const Value *Output : Copy->outputs())
    Types.push_back(Output->type());
  return Types;
}

/// Bytes of all outputs of \p N, whose inputs are all constants; nothing if only running it could tell.
static std::optional<int64_t> resultSize(const Node &N) {
  std::vector<std::optional<TensorType>> Types;
  for (const Value *Output : N.outputs())
    Types.push_back(Output->type());
  auto IsUnknown = [](const std::optional<TensorType> &T) { return !byteSize(T); };
  if (llvm::any_of(Types, IsUnknown)) {
    llvm::Expected<std::vector<std::optional<TensorType>>> Inferred = inferTypes(N);
    if (!Inferred) {
      llvm::consumeError(Inferred.takeError());
      return std::nullopt;
    }
    Types = std::move(*Inferred);
  }
  int64_t Total = 0;
  for (auto [Type, Output] : llvm::zip(Types, N.outputs())) {
    if (Output->name().empty())
      continue;
    std::optional<int64_t> Size = byteSize(Type);
    if (!Size || llvm::AddOverflow(Total, *Size, Total))
      return std::nullopt;
  }
  return Total;
}

static int64_t inputSize(const Node &N) {
  llvm::SmallPtrSet<const Value *, 4> Distinct;
  int64_t Total = 0;
  for (const Value *Input : N.inputs())
    if (Input && Distinct.insert(Input).second)
      Total += Input->constant()->bytes().size();
  return Total;
}

static llvm::Expected<std::vector<Tensor>> evaluate(const Node &N) {
  std::vector<at::Tensor> Inputs;
  for (const Value *Input : N.inputs()) {
    if (!Input) {
      Inputs.emplace_back();
      continue;
    }
    llvm::Expected<at::Tensor> Converted = toATen(*Input->constant());
    if (!Converted)
      return Converted.takeError();
    Inputs.push_back(std::move(*Converted));
  }
  llvm::Expected<std::vector<at::Tensor>> Outputs = executeNode(N, Inputs);
  if (!Outputs)
    return Outputs.takeError();
  std::vector<Tensor> Results;
  for (auto [Output, Computed] : llvm::zip(N.outputs(), *Outputs)) {
    if (Output->name().empty()) {
      Results.push_back(Tensor::scalar<float>(0));
      continue;
    }
    llvm::Expected<Tensor> Result = fromATen(Computed);
    if (!Result)
      return Result.takeError();
    if (Output->type() && Output->type()->Element != Result->elementType())
      return llvm::createStringError(fmt::format("expected elements of type {}, got {}",
                                                 elementTypeName(Output->type()->Element),
                                                 elementTypeName(Result->elementType())));
    Results.push_back(std::move(*Result));
  }
  return Results;
}

namespace {
class FoldConstants : public Pass {
public:
  FoldConstants(int64_t MaxGrowth, int64_t MaxTotal) : MaxGrowth(MaxGrowth), GrowthLeft(MaxTotal) {}

  llvm::Expected<bool> run(Model &M, PassContext &) override {
    uint64_t Before = Constants + Evaluated + Shapes + Operands;
    Arithmetic = {};
    runOnGraph(M.graph());
    return Constants + Evaluated + Shapes + Operands != Before;
  }

  PassStatistics statistics() const override {
    return {{"constant nodes turned into initialisers", Constants},
            {"nodes evaluated", Evaluated},
            {"nodes decided by fixed dimensions", Shapes},
            {"operands freed of dynamic dimensions", Operands}};
  }

private:
  void runOnGraph(Graph &G) {
    for (auto It = G.begin(); It != G.end();) {
      Node &N = *It++;
      for (Graph *Subgraph : N.subgraphs())
        runOnGraph(*Subgraph);
      if (llvm::any_of(N.outputs(), [](const Value *Output) { return !Output->isDead(); }))
        visit(N);
    }
  }

  void visit(Node &N) {
    if (N.is("Constant")) {
      if (std::optional<Tensor> T = valueOfConstant(N)) {
        replace(N, *T);
        ++Constants;
      }
      return;
    }
    if (N.is("Identity") && N.input(0) && N.input(0)->constant())
      return forward(N);
    if (N.numInputs() != 0 && llvm::all_of(N.inputs(), [](const Value *V) { return !V || V->constant(); })) {
      if (std::optional<std::vector<Tensor>> Results = tryEvaluate(N)) {
        replace(N, *Results);
        ++Evaluated;
      }
      return;
    }
    Arithmetic.visit(N);
    if (std::optional<ShapeTensor> Known = N.numOutputs() == 1 ? Arithmetic.lookUp(N.output()) : std::nullopt)
      if (std::optional<Tensor> T = Known->constant()) {
        Arithmetic.forget(N.output());
        replace(N, *T);
        ++Shapes;
        return;
      }
    if (N.is("Reshape"))
      simplifyReshape(N);
    else if (N.is("Expand"))
      simplifyExpand(N);
    else if (N.is("Resize"))
      simplifyResize(N);
  }

  std::optional<std::vector<Tensor>> tryEvaluate(const Node &N) {
    if (!isPure(N) || !canExecute(N)) {
      reject(N, "it cannot be evaluated");
      return std::nullopt;
    }
    std::optional<int64_t> Size = resultSize(N);
    int64_t Growth = Size ? *Size - inputSize(N) : 0;
    if (!Size || Growth > std::min(MaxGrowth, GrowthLeft)) {
      reject(N, Size ? fmt::format("its result has {} bytes, its inputs {}", *Size, inputSize(N))
                     : "the size of its result is not known beforehand");
      return std::nullopt;
    }
    llvm::Expected<std::vector<Tensor>> Results = evaluate(N);
    if (!Results) {
      reject(N, llvm::toString(Results.takeError()));
      return std::nullopt;
    }
    GrowthLeft -= std::max<int64_t>(Growth, 0);
    return std::move(*Results);
  }

  /// Identity(c) => c, but for an output of the graph: an Identity of a constant is the form that it ends in.
  void forward(Node &N) {
    if (N.output()->hasUses()) {
      N.output()->replaceUsesIf(N.input(0), [](const Use &) { return true; });
      ++Evaluated;
    }
    if (N.output()->isDead())
      N.parent()->erase(&N);
  }

  /// Puts constants in the place of \p N, one for each output.
  static void replace(Node &N, llvm::ArrayRef<Tensor> Results) {
    Graph &G = *N.parent();
    for (auto [Output, Result] : llvm::zip(N.outputs(), Results)) {
      if (Output->isDead())
        continue;
      Value *Init = G.addInitializer(Output->name(), Result);
      if (Output->isGraphOutput()) {
        Value *Copy = G.insert(Graph::iteratorTo(&N), "Identity", {Init}, Output->name());
        Output->replaceUsesIf(Init, [](const Use &) { return true; });
        Output->replaceAllUsesWith(Copy);
        continue;
      }
      Output->replaceAllUsesWith(Init);
      // The initialiser keeps the name that the value has in the file. Before IR version 4 it may be one of the main
      // graph, where the name may be another value's.
      if (Init->parent() != &G)
        continue;
      std::string Spare = Init->name().str();
      Init->setName(Output->name());
      Output->setName(Spare);
    }
    G.erase(&N);
  }

  /// Gives \p N a constant in place of its operand \p Index.
  void setOperand(Node &N, unsigned Index, llvm::ArrayRef<int64_t> Numbers) {
    Value *Init = N.parent()->addInitializer(N.input(Index)->name(),
                                             Tensor::of<int64_t>({static_cast<int64_t>(Numbers.size())}, Numbers));
    N.setInput(Index, Init);
    ++Operands;
  }

  // Reshape(x, [dim 0 of x, ...]) => Reshape(x, [0, ...]); Reshape(x, [?, 64]) => Reshape(x, [-1, 64])
  void simplifyReshape(Node &N) {
    std::optional<ShapeTensor> Target = Arithmetic.lookUp(N.input(1));
    if (!Target || Target->IsScalar || !N.input(0) || N.input(1)->constant())
      return;
    std::vector<int64_t> Copied, Inferred;
    bool CanCopy = N.intAttribute("allowzero", 0) == 0;
    bool CanInfer = true;
    unsigned Unknown = 0;
    for (unsigned I = 0; I < Target->Elements.size(); ++I) {
      const ShapeElement &E = Target->Elements[I];
      if (E.isNumber()) {
        Copied.push_back(E.number());
        Inferred.push_back(E.number());
        CanInfer &= E.number() > 0;
        continue;
      }
      ++Unknown;
      Copied.push_back(0);
      Inferred.push_back(-1);
      CanCopy &= E.isDimensionOf(*N.input(0), I);
    }
    if (CanCopy)
      setOperand(N, 1, Copied);
    else if (CanInfer && Unknown == 1)
      setOperand(N, 1, Inferred);
    else
      reject(N, "its target shape has dynamic entries that are neither copied nor inferred");
  }

  // Expand(x, [dim 0 of x, ...]) => Expand(x, [1, ...]), entries aligned at the end
  void simplifyExpand(Node &N) {
    std::optional<ShapeTensor> Target = Arithmetic.lookUp(N.input(1));
    if (!Target || Target->IsScalar || N.input(1)->constant())
      return;
    if (!N.input(0) || !N.input(0)->type() || !N.input(0)->type()->rank())
      return reject(N, "the rank of its input is not known");
    int64_t Offset = int64_t(Target->Elements.size()) - *N.input(0)->type()->rank();
    std::vector<int64_t> Neutral;
    for (int64_t I = 0; I < int64_t(Target->Elements.size()); ++I) {
      const ShapeElement &E = Target->Elements[I];
      if (!E.isNumber() && (I < Offset || !E.isDimensionOf(*N.input(0), I - Offset)))
        return reject(N, "its target shape has dynamic entries that are not its input's");
      Neutral.push_back(E.isNumber() ? E.number() : 1);
    }
    setOperand(N, 1, Neutral);
  }

  // Resize(x, sizes = [dim 0 of x, dim 1 of x, 8, 8]) => Resize(x, scales = [1, 1, 8 / dim 2, 8 / dim 3])
  void simplifyResize(Node &N) {
    std::optional<ShapeTensor> Sizes = Arithmetic.lookUp(N.input(3));
    if (!Sizes || Sizes->IsScalar || N.input(3)->constant())
      return;
    if (N.attribute("axes") || N.stringAttribute("keep_aspect_ratio_policy", "stretch") != "stretch")
      return reject(N, "its sizes do not stand for all axes as they are");
    std::vector<float> Scales;
    for (unsigned I = 0; I < Sizes->Elements.size(); ++I) {
      const ShapeElement &E = Sizes->Elements[I];
      std::optional<int64_t> Size = fixedDimension(*N.input(0), I);
      if (E.isDimensionOf(*N.input(0), I)) {
        Scales.push_back(1);
        continue;
      }
      if (!E.isNumber() || !Size || *Size == 0)
        return reject(N, "its sizes have dynamic entries that are not its input's");
      // Runtimes compute this quotient from sizes, and the sizes as the floor of the product from scales.
      float Scale = static_cast<float>(E.number()) / static_cast<float>(*Size);
      if (static_cast<int64_t>(std::floor(Scale * static_cast<float>(*Size))) != E.number())
        return reject(N, "its sizes are no multiples that a float holds exactly enough");
      Scales.push_back(Scale);
    }
    N.setInput(2, N.parent()->addInitializer(
                      (N.output()->name() + "_scales").str(),
                      Tensor::of<float>({static_cast<int64_t>(Scales.size())}, llvm::ArrayRef<float>(Scales))));
    N.truncateInputs(3);
    ++Operands;
  }

  int64_t MaxGrowth;
  int64_t GrowthLeft; // in all rounds of canonicalize together
  ShapeArithmetic Arithmetic;
  uint64_t Constants = 0;
  uint64_t Evaluated = 0;
  uint64_t Shapes = 0;
  uint64_t Operands = 0;
};
} // namespace

static llvm::Expected<std::unique_ptr<Pass>> create(const PassOptions &Options) {
  llvm::Expected<int64_t> MaxGrowth = Options.getInt("max-growth", 0);
  if (!MaxGrowth)
    return MaxGrowth.takeError();
  llvm::Expected<int64_t> MaxTotal = Options.getInt("max-total", 0);
  if (!MaxTotal)
    return MaxTotal.takeError();
  return std::make_unique<FoldConstants>(*MaxGrowth, *MaxTotal);
}

PassInfo deepshare::foldConstantsPass() {
  return {
      .Name = "fold-constants",
      .Contract = "Evaluates nodes whose inputs are constants, and the parts of shape arithmetic that a dynamic batch "
                  "leaves fixed.",
      .Options = {{"max-growth", "16777216", "bytes by which a result may exceed the inputs that it is computed from"},
                  {"max-total", "268435456", "bytes by which all results together may"}},
      .Create = create,
      .Alias = {},
      .Effect = PassEffect::Exact};
}
