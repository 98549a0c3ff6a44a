//===- Pass.cpp - passes and pipelines ------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/Pass.h"

#include "deepshare/IR/Verifier.h"
#include "deepshare/ONNX/ONNX.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/xxhash.h"

#include <chrono>
#include <fmt/format.h>

using namespace deepshare;

Pass::~Pass() = default;

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

void PassOptions::set(llvm::StringRef Name, llvm::StringRef Value) {
  for (auto &[Known, Old] : Values)
    if (Known == Name) {
      Old = Value.str();
      return;
    }
  Values.emplace_back(Name.str(), Value.str());
}

llvm::StringRef PassOptions::get(llvm::StringRef Name) const {
  for (const auto &[Known, Value] : Values)
    if (Known == Name)
      return Value;
  assert(false && "the pass does not declare this option");
  return {};
}

llvm::Expected<int64_t> PassOptions::getInt(llvm::StringRef Name, int64_t Least, int64_t Most) const {
  int64_t Number;
  if (get(Name).getAsInteger(10, Number))
    return llvm::createStringError(
        fmt::format("option '{}': expected an integer, got '{}'", Name.str(), get(Name).str()));
  if (Number < Least)
    return llvm::createStringError(fmt::format("option '{}': expected at least {}, got {}", Name.str(), Least, Number));
  if (Number > Most)
    return llvm::createStringError(fmt::format("option '{}': expected at most {}, got {}", Name.str(), Most, Number));
  return Number;
}

//===----------------------------------------------------------------------===//
// Pipelines
//===----------------------------------------------------------------------===//

/// A pass, or an alias with the pipeline that it stands for.
struct Pipeline::Stage {
  std::string Name;
  std::string Text; ///< the name with the options that were given
  std::unique_ptr<Pass> ThePass;
  PassEffect Effect;
  std::optional<Pipeline> Alias;

  bool runs(llvm::StringRef Pass) const { return Name == Pass || (Alias && Alias->contains(Pass)); }
  llvm::Expected<bool> runPass(Model &M, PassContext &Context, const PipelineOptions &Options);
};

Pipeline::Pipeline() = default;
Pipeline::Pipeline(Pipeline &&) noexcept = default;
Pipeline &Pipeline::operator=(Pipeline &&) noexcept = default;
Pipeline::~Pipeline() = default;

namespace {
/// A name and its options as they stand in the text.
struct ParsedStage {
  llvm::StringRef Name;
  size_t Offset;
  struct Option {
    std::string Name;
    std::string Value;
    size_t Offset;
  };
  std::vector<Option> Options;

  /// The stage as the parser reads it.
  std::string text() const {
    std::string Text = Name.str();
    for (const Option &O : Options) {
      bool IsPlain = !O.Value.empty() && llvm::StringRef(O.Value).find_first_of(" \t\n{}'\"") == llvm::StringRef::npos;
      llvm::StringRef Quote = IsPlain ? "" : llvm::StringRef(O.Value).contains('"') ? "'" : "\"";
      Text += fmt::format("{}{}={}{}{}", &O == &Options.front() ? "{" : " ", O.Name, Quote.str(), O.Value, Quote.str());
    }
    return Options.empty() ? Text : Text + "}";
  }
};

/// Splits a pipeline's text; knows no pass.
class PipelineParser {
public:
  explicit PipelineParser(llvm::StringRef Text) : Text(Text) {}

  llvm::Error fail(size_t At, const std::string &Reason) const {
    return llvm::createStringError(fmt::format("pipeline '{}', column {}: {}", Text.str(), At + 1, Reason));
  }

  llvm::Expected<std::vector<ParsedStage>> parse() {
    std::vector<ParsedStage> Stages;
    skipSpaces();
    while (true) {
      llvm::Expected<ParsedStage> Parsed = parseStage();
      if (!Parsed)
        return Parsed.takeError();
      Stages.push_back(std::move(*Parsed));
      if (Position == Text.size())
        return Stages;
      if (current() == '}')
        return fail(Position, "unbalanced '}'");
      if (current() != ',')
        return fail(Position, fmt::format("expected ',' between passes, got '{}'", current()));
      ++Position;
      skipSpaces();
    }
  }

private:
  char current() const { return Text[Position]; }
  bool at(char C) const { return Position < Text.size() && current() == C; }
  void skipSpaces() { Position = std::min(Text.find_if_not(llvm::isSpace, Position), Text.size()); }

  llvm::StringRef takeName() {
    llvm::StringRef Name =
        Text.substr(Position).take_while([](char C) { return llvm::isAlnum(C) || C == '-' || C == '_'; });
    Position += Name.size();
    return Name;
  }

  llvm::Expected<ParsedStage> parseStage() {
    ParsedStage Stage{{}, Position, {}};
    Stage.Name = takeName();
    if (Stage.Name.empty())
      return fail(Position, Position == Text.size() ? "expected the name of a pass"
                                                    : fmt::format("expected the name of a pass, got '{}'", current()));
    skipSpaces();
    if (at('{'))
      if (llvm::Error E = parseOptions(Stage))
        return E;
    skipSpaces();
    return Stage;
  }

  llvm::Error parseOptions(ParsedStage &Stage) {
    size_t Open = Position++;
    while (true) {
      skipSpaces();
      if (Position == Text.size())
        return fail(Open, "unbalanced '{'");
      if (at('}')) {
        ++Position;
        return llvm::Error::success();
      }
      ParsedStage::Option Option{takeName().str(), {}, Position};
      Option.Offset = Position - Option.Name.size();
      if (Option.Name.empty())
        return fail(Position, fmt::format("expected the name of an option, got '{}'", current()));
      if (!at('='))
        return fail(Position, fmt::format("expected '=' after option '{}'", Option.Name));
      ++Position;
      if (llvm::Error E = parseValue(Option.Value))
        return E;
      Stage.Options.push_back(std::move(Option));
    }
  }

  // Ends at a space or at the brace that closes the options; quotes and braces inside protect both.
  llvm::Error parseValue(std::string &Value) {
    if (at('\'') || at('"')) {
      size_t End = Text.find(current(), Position + 1);
      if (End == llvm::StringRef::npos)
        return fail(Position, "unbalanced quote");
      Value = Text.slice(Position + 1, End).str();
      Position = End + 1;
      return llvm::Error::success();
    }
    size_t Start = Position;
    unsigned Depth = 0;
    for (; Position < Text.size(); ++Position) {
      if (Depth == 0 && (at('}') || llvm::isSpace(current())))
        break;
      if (at('{'))
        ++Depth;
      else if (at('}'))
        --Depth;
    }
    if (Depth != 0)
      return fail(Start, "unbalanced '{'");
    Value = Text.slice(Start, Position).str();
    if (Value.size() >= 2 && Value.front() == '{' && Value.back() == '}')
      Value = Value.substr(1, Value.size() - 2);
    return llvm::Error::success();
  }

  llvm::StringRef Text;
  size_t Position = 0;
};
} // namespace

/// " (did you mean 'x'?)" for the closest of \p Candidates if it is close, else "".
template <typename Range> static std::string didYouMean(llvm::StringRef Name, const Range &Candidates) {
  llvm::StringRef Best;
  unsigned BestDistance = std::max<unsigned>(2, Name.size() / 3) + 1;
  for (const auto &Candidate : Candidates) {
    unsigned Distance = Name.edit_distance(Candidate.Name, /*AllowReplacements=*/true, BestDistance);
    if (Distance < BestDistance) {
      BestDistance = Distance;
      Best = Candidate.Name;
    }
  }
  return Best.empty() ? "" : fmt::format(" (did you mean '{}'?)", Best.str());
}

static llvm::Expected<PassOptions> resolveOptions(const PassInfo &Info, const ParsedStage &Stage,
                                                  const PipelineParser &Parser) {
  PassOptions Options;
  for (const PassOption &Known : Info.Options)
    Options.set(Known.Name, Known.Default);
  for (const ParsedStage::Option &Given : Stage.Options) {
    if (llvm::none_of(Info.Options, [&](const PassOption &Known) { return Known.Name == Given.Name; }))
      return Parser.fail(Given.Offset, fmt::format("pass '{}' has no option '{}'{}", Info.Name.str(), Given.Name,
                                                   didYouMean(Given.Name, Info.Options)));
    Options.set(Given.Name, Given.Value);
  }
  return Options;
}

void Pipeline::add(llvm::StringRef Name, std::unique_ptr<Pass> P, PassEffect Effect) {
  Stages.push_back({Name.str(), Name.str(), std::move(P), Effect, std::nullopt});
}

bool Pipeline::contains(llvm::StringRef Name) const {
  return llvm::any_of(Stages, [&](const Stage &S) { return S.runs(Name); });
}

void Pipeline::endAfter(llvm::StringRef Name) {
  while (!Stages.empty() && !Stages.back().runs(Name))
    Stages.pop_back();
}

llvm::Expected<Pipeline> Pipeline::parse(llvm::StringRef Text) {
  PipelineParser Parser(Text);
  llvm::Expected<std::vector<ParsedStage>> Parsed = Parser.parse();
  if (!Parsed)
    return Parsed.takeError();
  Pipeline Result;
  for (const ParsedStage &Stage : *Parsed) {
    const PassInfo *Info = llvm::find_if(allPasses(), [&](const PassInfo &I) { return I.Name == Stage.Name; });
    if (Info == allPasses().end())
      return Parser.fail(Stage.Offset, fmt::format("there is no pass '{}'{}; ds-opt --help lists all passes",
                                                   Stage.Name.str(), didYouMean(Stage.Name, allPasses())));
    llvm::Expected<PassOptions> Options = resolveOptions(*Info, Stage, Parser);
    if (!Options)
      return Options.takeError();
    Pipeline::Stage Made{Info->Name.str(), Stage.text(), nullptr, Info->Effect, std::nullopt};
    if (Info->Create) {
      llvm::Expected<std::unique_ptr<Pass>> Created = Info->Create(*Options);
      if (!Created)
        return Parser.fail(Stage.Offset,
                           fmt::format("pass '{}': {}", Info->Name.str(), llvm::toString(Created.takeError())));
      Made.ThePass = std::move(*Created);
    } else {
      llvm::Expected<Pipeline> Expanded = parse(Info->Alias);
      if (!Expanded)
        return Expanded.takeError();
      Made.Alias = std::move(*Expanded);
    }
    Result.Stages.push_back(std::move(Made));
  }
  return Result;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

/// A number that changes when the model does; nothing if the model cannot be serialised (more than 2 GiB).
static std::optional<uint64_t> contentHash(const Model &M) {
  llvm::Expected<std::string> Bytes = serializeModel(M);
  if (Bytes)
    return llvm::xxh3_64bits(*Bytes);
  llvm::consumeError(Bytes.takeError());
  return std::nullopt;
}

static llvm::Error passError(llvm::StringRef Name, llvm::Error E) {
  return llvm::createStringError(fmt::format("pass '{}': {}", Name.str(), llvm::toString(std::move(E))));
}

llvm::Expected<bool> Pipeline::Stage::runPass(Model &M, PassContext &Context, const PipelineOptions &Options) {
  std::unique_ptr<Model> Before = Options.OnFailure || Options.Validate ? M.clone() : nullptr;
  auto Fail = [&](llvm::Error E) {
    if (Options.OnFailure)
      Options.OnFailure(Text, *Before);
    return passError(Name, std::move(E));
  };
  std::optional<uint64_t> HashBefore = Options.VerifyEach ? contentHash(M) : std::nullopt;

  PassStatistics Earlier = ThePass->statistics();
  auto Start = std::chrono::steady_clock::now();
  llvm::Expected<bool> Changed = ThePass->run(M, Context);
  std::chrono::duration<double> Elapsed = std::chrono::steady_clock::now() - Start;
  if (!Changed)
    return Fail(Changed.takeError());

  if (Options.VerifyEach) {
    if (llvm::Error E = verify(M))
      return Fail(llvm::createStringError(fmt::format("broke the graph: {}", llvm::toString(std::move(E)))));
    if (HashBefore && (contentHash(M) != HashBefore) != *Changed)
      return Fail(llvm::createStringError(*Changed ? "reported a change but changed nothing"
                                                   : "changed the model but reported no change"));
  }
  if (Options.Validate && *Changed)
    if (llvm::Error E = Options.Validate({Name, Effect, *Before, M, Context}))
      return Fail(std::move(E));
  if (Options.AfterPass) {
    PassStatistics Counted = ThePass->statistics();
    for (size_t I = 0; I < Earlier.size(); ++I)
      Counted[I].second -= Earlier[I].second;
    Options.AfterPass({Name, *Changed, Elapsed.count(), std::move(Counted)});
  }
  return *Changed;
}

llvm::Expected<bool> Pipeline::run(Model &M, PassContext &Context, const PipelineOptions &Options) {
  // Two passes of an alias that undo each other's work would go on for ever. Where one thing after the other becomes
  // known, as in a chain of branches, more rounds may be needed: what is there is right after each.
  constexpr unsigned MaxRounds = 100;
  bool AnyChange = false;
  for (Stage &S : Stages) {
    bool Again = true;
    for (unsigned Round = 0; Again; ++Round) {
      if (Round == MaxRounds && !Options.VerifyEach)
        break;
      if (Round == MaxRounds)
        return passError(S.Name, llvm::createStringError(fmt::format("no fixed point after {} rounds", MaxRounds)));
      llvm::Expected<bool> Changed = S.Alias ? S.Alias->run(M, Context, Options) : S.runPass(M, Context, Options);
      if (!Changed)
        return S.Alias ? passError(S.Name, Changed.takeError()) : Changed.takeError();
      AnyChange |= *Changed;
      Again = S.Alias && *Changed;
    }
  }
  return AnyChange;
}
