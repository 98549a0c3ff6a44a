//===- Validation.cpp - compares a model before and after a pass ----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/Validation.h"

#include "Decisions.h"
#include "PlanReference.h"
#include "SampleInputs.h"

#include "deepshare/Exec/Exec.h"
#include "deepshare/Exec/Guard.h"
#include "deepshare/Exec/ImageInputs.h"
#include "deepshare/Support/Error.h"

#include "llvm/ADT/StringMap.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

using namespace deepshare;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

struct Validator::Inputs {
  std::vector<NamedTensors> Runs;
};

double deepshare::reassociationBound(unsigned MantissaBits) {
  return 128 * std::exp2(-static_cast<double>(std::min(MantissaBits, 24U)));
}

//===----------------------------------------------------------------------===//
// Comparing tensors
//===----------------------------------------------------------------------===//

static std::string typeText(const at::Tensor &T) {
  return fmt::format("{}[{}]", at::toString(T.scalar_type()), fmt::join(T.sizes(), ","));
}

/// What distinguishes \p Got from \p Wanted: "expected 1.5, got 2 at [0,3] (3 of 8 elements differ)". Empty if nothing
/// does. \p IsExact: the same numbers, else within the bound, or within \p Slack if that is more.
static std::string differenceOf(const at::Tensor &Wanted, const at::Tensor &Got, bool IsExact, double Slack = 0) {
  if (Wanted.scalar_type() != Got.scalar_type() || Wanted.sizes() != Got.sizes())
    return fmt::format("expected {}, got {}", typeText(Wanted), typeText(Got));
  double Bound = IsExact || !Wanted.is_floating_point()
                     ? 0
                     : std::max(Slack, roundingOf(Wanted.scalar_type()) * magnitude(Wanted));
  at::Tensor A = Wanted.to(at::kDouble).flatten(), B = Got.to(at::kDouble).flatten();
  // 64-bit integers are more than a double holds; equal ones stay equal.
  at::Tensor Same = at::eq(Wanted, Got).flatten() | (at::isnan(A) & at::isnan(B));
  if (Bound > 0)
    Same |= (A - B).abs() <= Bound;
  int64_t Wrong = Same.numel() - Same.sum().item<int64_t>();
  if (!Wrong)
    return {};
  at::Tensor Distance = at::nan_to_num((A - B).abs(), HUGE_VAL).masked_fill(Same, -1);
  int64_t Place = Distance.argmax().item<int64_t>();
  std::vector<int64_t> Position(Wanted.dim());
  for (int64_t Axis = Wanted.dim() - 1, Rest = Place; Axis >= 0; --Axis) {
    Position[Axis] = Rest % Wanted.size(Axis);
    Rest /= Wanted.size(Axis);
  }
  return fmt::format("expected {}, got {} at [{}] ({} of {} elements differ{})", A[Place].item<double>(),
                     B[Place].item<double>(), fmt::join(Position, ","), Wrong, Same.numel(),
                     Bound > 0 ? fmt::format(" by more than {:.2g}", Bound) : "");
}

//===----------------------------------------------------------------------===//
// Comparing models
//===----------------------------------------------------------------------===//

namespace {
/// A model that is run on samples: as it is, or with its gates as a plan defines them.
class Subject {
public:
  static Expected<Subject> create(Model &M, const SharePlan *Plan = nullptr) {
    Expected<std::unique_ptr<Executor>> Exec = Executor::create(M);
    if (!Exec)
      return Exec.takeError();
    Subject Result(M, std::move(*Exec));
    Decisions::observe(*Result.Exec, M);
    if (!Plan)
      return Result;
    Expected<std::unique_ptr<PlanReference>> Reference = PlanReference::attach(*Result.Exec, M, *Plan);
    if (!Reference)
      return Reference.takeError();
    Result.Reference = std::move(*Reference);
    return Result;
  }

  /// Has runs show the nodes' outputs for which \p Which holds.
  void observe(llvm::function_ref<bool(StringRef Name)> Which) {
    for (const Node &N : M->graph())
      for (const Value *Output : N.outputs())
        if (!Output->name().empty() && Which(Output->name()))
          Exec->observe(Output);
  }

  Expected<std::vector<at::Tensor>> run(const NamedTensors &Given, ValueHook Hook) {
    std::vector<at::Tensor> Tensors;
    for (const Value *Input : freeInputs(M->graph())) {
      Tensors.push_back(Given.lookup(Input->name()));
      if (!Tensors.back().defined())
        return makeError("there is a new input '" + Input->name() + "'");
    }
    return Exec->run(Tensors, [&](const Value &V, at::Tensor &T) {
      if (Reference)
        Reference->observe(V, T);
      Hook(V, T);
    });
  }

  /// False for what a body computes: its name says neither which graph it is of, nor which time.
  bool isOwn(const Value &V) const { return V.parent() == &M->graph(); }
  const Executor &executor() const { return *Exec; }
  const Graph &graph() const { return M->graph(); }

private:
  Subject(Model &M, std::unique_ptr<Executor> Exec) : M(&M), Exec(std::move(Exec)) {}
  Model *M;
  std::unique_ptr<Executor> Exec;
  std::unique_ptr<PlanReference> Reference;
};

/// Both models side by side.
class Comparison {
public:
  Comparison(Subject Before, Subject After, const PassChange &Change)
      : Before(std::move(Before)), After(std::move(After)), Original(Change.Before), Effect(Change.Effect) {
    if (Effect == PassEffect::Shares)
      for (const AveragePoolPlan &Pool : Change.Context.Plan->AveragePools)
        Averages[Pool.Name];
    this->After.observe([&](StringRef Name) { return Averages.contains(Name); });
  }

  /// Runs the model before; its outputs are kept for compare().
  Error runBefore(const NamedTensors &Given) {
    Taken = Decisions();
    Expected<std::vector<at::Tensor>> Outputs = Before.run(Given, [&](const Value &V, at::Tensor &T) {
      if (Effect == PassEffect::Reassociates)
        Taken.takeDown(Before.executor(), V, T);
      if (!Before.isOwn(V))
        return;
      if (Averages.contains(V.name()))
        Averages[V.name()] = T;
      if (IsLocating)
        Values[V.name()] = T;
    });
    if (!Outputs)
      return Outputs.takeError();
    Wanted = std::move(*Outputs);
    return Error::success();
  }

  /// Runs the model after. An error says what differs. \p Slack: what each output may differ by even if that is more
  /// than the bound.
  Error compare(const NamedTensors &Given, llvm::ArrayRef<double> Slack = {}) {
    Decisions Own;
    Expected<std::vector<at::Tensor>> Got = After.run(Given, [&](const Value &V, at::Tensor &T) {
      if (Effect == PassEffect::Reassociates)
        Taken.impose(V, T);
      if (!After.isOwn(V))
        return;
      if (Effect == PassEffect::Shares) {
        imposeAverage(V, T);
        Own.takeDown(After.executor(), V, T);
        Own.decideTiles(V, T);
      }
      if (IsLocating)
        compareValue(V, T);
    });
    if (!Got)
      return makeError("the model before it runs, this one does not: " + llvm::toString(Got.takeError()));
    if (Got->size() != Wanted.size())
      return makeError(fmt::format("expected {} outputs, got {}", Wanted.size(), Got->size()));
    for (unsigned I = 0; I < Wanted.size(); ++I) {
      llvm::StringRef Name = Before.graph().outputs()[I]->name(), NewName = After.graph().outputs()[I]->name();
      if (Name != NewName)
        return makeError("output '" + Name + "' is called '" + NewName + "' now");
      if (std::string Difference = difference(Wanted[I], (*Got)[I], Slack.empty() ? 0 : Slack[I]); !Difference.empty())
        return makeError("output '" + Name + "' changed: " + Difference);
    }
    return Error::success();
  }

  /// Runs compare() again after it found \p Difference. The bound takes the size of an output for that of what it is
  /// computed from; where a gate leaves little of a large tensor, rounding moves an output by more. So outputs may
  /// differ by as many units in the last place of the tensors that they are computed from (stochastic arithmetic:
  /// Vignes 1993). Where that cannot be measured, what was found stands. \p Undecided: set to what differs if rounding
  /// may explain it, but so much of it that it could hide any change.
  Error compareWithSlack(const NamedTensors &Given, Error Difference, std::string &Undecided) {
    Expected<std::vector<double>> Slack = measureSlack(Given);
    if (!Slack) {
      llvm::consumeError(Slack.takeError());
      return Difference;
    }
    llvm::consumeError(std::move(Difference));
    std::vector<double> Narrow = *Slack;
    for (auto [Limit, Output] : llvm::zip_equal(Narrow, Wanted))
      Limit = std::min(Limit, MostSlack * magnitude(Output));
    if (Error E = runBefore(Given))
      return E;
    Error Beyond = compare(Given, Narrow);
    if (!Beyond || Narrow == *Slack)
      return Beyond;
    Undecided = llvm::toString(std::move(Beyond)) + ", as rounding alone may change it";
    if (Error E = runBefore(Given))
      return E;
    return compare(Given, *Slack);
  }

  /// Where the values of both models part first, for inputs on which their outputs differ; empty if no value but the
  /// outputs has the same name in both.
  std::string locate(const NamedTensors &Given) {
    for (Subject *Each : {&Before, &After})
      Each->observe([](StringRef) { return true; });
    IsLocating = true;
    if (Error E = runBefore(Given))
      return llvm::toString(std::move(E));
    // What the pass turned into a constant stands before all nodes.
    for (const Value *Constant : After.graph().initializers())
      if (auto Found = Values.find(Constant->name()); Found != Values.end())
        note("initialiser '" + Constant->name() + "'", Found->second, After.executor().constant(Constant));
    llvm::consumeError(compare(Given));
    return First;
  }

private:
  /// Of an output's largest magnitude. Behind a mask of -3e38, say, the slack is larger than the output.
  static constexpr double MostSlack = 0.01;

  /// How far each output of the model before moves where every value moves at random within the bound, and decisions
  /// stay. Scalars and vectors stay as well: sizes and scales are computed from them.
  Expected<std::vector<double>> measureSlack(const NamedTensors &Given) {
    Expected<Subject> Moved = Subject::create(Original);
    if (!Moved)
      return Moved.takeError();
    Moved->observe([](StringRef) { return true; });
    std::vector<double> Slack(Wanted.size());
    at::Generator Random = at::make_generator<at::CPUGeneratorImpl>(/*seed=*/0);
    for (unsigned Run = 0; Run < 3; ++Run) {
      if (Error E = runBefore(Given))
        return E;
      Expected<std::vector<at::Tensor>> Outputs = Moved->run(Given, [&](const Value &V, at::Tensor &T) {
        if (Taken.repeat(V, T) || !T.is_floating_point() || T.dim() < 2)
          return;
        at::Tensor Units = at::rand(T.sizes(), Random, at::kDouble) * 2 - 1;
        T = T + (Units * (roundingOf(T.scalar_type()) * magnitude(T))).to(T.scalar_type());
      });
      if (!Outputs)
        return Outputs.takeError();
      for (unsigned I = 0; I < Wanted.size(); ++I) {
        const at::Tensor &Output = (*Outputs)[I];
        if (Output.sizes() != Wanted[I].sizes())
          return makeError("rounding changes the shape of an output");
        if (Output.is_floating_point())
          Slack[I] = std::max(Slack[I], magnitude(Output.to(at::kDouble) - Wanted[I].to(at::kDouble)));
      }
    }
    return Slack;
  }

  /// What the model's outputs have to keep.
  std::string difference(const at::Tensor &A, const at::Tensor &B, double Slack = 0) const {
    if (Effect != PassEffect::Refits)
      return differenceOf(A, B, /*IsExact=*/Effect != PassEffect::Reassociates, Slack);
    if (A.scalar_type() != B.scalar_type() || A.sizes() != B.sizes())
      return fmt::format("expected {}, got {}", typeText(A), typeText(B));
    int64_t Lost = (at::isfinite(A) & ~at::isfinite(B)).sum().item<int64_t>();
    return Lost ? fmt::format("{} of {} elements are not finite any more", Lost, A.numel()) : std::string();
  }

  /// An average of the rewritten model that agrees with the definition's becomes it, so that all that follows, jumps
  /// and all, can be compared exactly.
  void imposeAverage(const Value &V, at::Tensor &T) const {
    at::Tensor Defined = Averages.lookup(V.name());
    if (Defined.defined() && differenceOf(Defined, T, /*IsExact=*/false).empty())
      T = Defined;
  }

  void compareValue(const Value &V, const at::Tensor &T) {
    auto Found = Values.find(V.name());
    if (Found == Values.end() || !V.producer())
      return;
    note(fmt::format("node '{}' ({}), '{}'", V.producer()->displayName().str(), V.producer()->opType().str(),
                     V.name().str()),
         Found->second, T);
  }

  void note(const llvm::Twine &What, const at::Tensor &A, const at::Tensor &B) {
    if (!First.empty())
      return;
    if (std::string Difference = difference(A, B); !Difference.empty())
      First = (What + ": " + Difference).str();
  }

  Subject Before, After;
  Model &Original;
  PassEffect Effect;
  Decisions Taken;
  llvm::StringMap<at::Tensor> Averages; ///< by the definition, of the pools that the plan averages
  std::vector<at::Tensor> Wanted;
  bool IsLocating = false;
  llvm::StringMap<at::Tensor> Values; ///< of the model before, while the first difference is looked for
  std::string First;
};
} // namespace

//===----------------------------------------------------------------------===//
// Validator
//===----------------------------------------------------------------------===//

Validator::Validator(const ValidationOptions &Options) : Options(Options) {}
Validator::~Validator() = default;

Error Validator::check(const PassChange &Change) {
  auto Skip = [&](Error Why) {
    ++Summary.Skipped;
    std::string Reason = llvm::toString(std::move(Why));
    if (Summary.Reason.empty())
      Summary.Reason = Reason;
    return Error::success();
  };
  return guarded("cannot compare the model with the one before it", [&]() -> Error {
    c10::InferenceMode NoGradients;
    if (!Drawn) {
      Expected<std::vector<NamedTensors>> Runs =
          drawInputs(Change.Before, Options.Images, Options.Samples, Options.Seed);
      if (!Runs)
        return Skip(Runs.takeError());
      Drawn = std::make_unique<Inputs>(Inputs{std::move(*Runs)});
    }
    bool Shares = Change.Effect == PassEffect::Shares;
    Expected<Subject> Before = Subject::create(Change.Before, Shares ? &*Change.Context.Plan : nullptr);
    if (!Before)
      return Skip(Before.takeError());
    Expected<Subject> After = Subject::create(Change.After);
    if (!After)
      return makeError("the model before it can be run, this one cannot: " + llvm::toString(After.takeError()));
    Comparison Models(std::move(*Before), std::move(*After), Change);
    std::string Undecided;
    for (const NamedTensors &Given : Drawn->Runs) {
      if (Error E = Models.runBefore(Given))
        return Skip(std::move(E));
      Error E = Models.compare(Given);
      if (E && Change.Effect == PassEffect::Reassociates)
        E = Models.compareWithSlack(Given, std::move(E), Undecided);
      if (E) {
        std::string First = Models.locate(Given);
        return makeError("changed what the model computes: " + llvm::toString(std::move(E)) +
                         (First.empty() ? First : "; the first value that differs is of " + First));
      }
    }
    if (!Undecided.empty())
      return Skip(makeError(Undecided));
    ++Summary.Compared;
    return Error::success();
  });
}
