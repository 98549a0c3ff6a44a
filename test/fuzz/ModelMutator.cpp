//===- ModelMutator.cpp - changes models as models, not as bytes ----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Flipped bytes of a model are mostly no model. This parses the input, changes some fields of some of its messages by
// protobuf's reflection, and writes it again: attributes, shapes, edges (names), whole nodes and graphs. Strings are
// mostly others of the same model, so that edges lead somewhere, or words that mean something to ONNX. One time in
// eight the bytes are left to libFuzzer, and the parsers of damaged files get their share.
//
//===----------------------------------------------------------------------===//

#include "Fuzz.h"

#include "deepshare/ONNX/ONNX.h"

#include "onnx/onnx_pb.h"

#include "google/protobuf/reflection.h"
#include "google/protobuf/stubs/logging.h"

#include "llvm/ADT/STLExtras.h"

#include <limits>
#include <random>
#include <vector>

using namespace onnx_deepshare;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

extern "C" size_t LLVMFuzzerMutate(uint8_t *Data, size_t Size, size_t MaxSize);

namespace {

constexpr llvm::StringLiteral Words[] = {
    "",
    "ai.onnx",
    "ai.deepshare",
    "Relu",
    "LeakyRelu",
    "PRelu",
    "Clip",
    "Max",
    "Min",
    "Where",
    "Abs",
    "HardSwish",
    "MaxPool",
    "Conv",
    "Gemm",
    "MatMul",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Cast",
    "Greater",
    "Less",
    "Reshape",
    "Shape",
    "Gather",
    "Slice",
    "Pad",
    "Concat",
    "Unsqueeze",
    "Squeeze",
    "Expand",
    "Constant",
    "Identity",
    "Flatten",
    "Transpose",
    "Resize",
    "If",
    "Loop",
    "ReduceMean",
    "ReduceSum",
    "AveragePool",
    "DReLU",
    "DReLUShare",
    "Dropout",
    "Split",
    "Range",
    "ConstantOfShape",
    "axis",
    "axes",
    "perm",
    "kernel_shape",
    "strides",
    "pads",
    "dilations",
    "group",
    "alpha",
    "value",
    "to",
    "mode",
    "keepdims",
    "ceil_mode",
    "auto_pad",
    "SAME_UPPER",
    "block",
    "mask",
    "on",
    "off",
    "N",
    "epsilon",
    "allowzero",
    "value_ints",
    "BatchNormalization",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "ThresholdedRelu",
    "body",
    "then_branch",
    "else_branch",
};
constexpr int64_t Integers[] = {0,
                                1,
                                -1,
                                2,
                                3,
                                4,
                                7,
                                8,
                                16,
                                64,
                                255,
                                -2,
                                -8,
                                1000,
                                65536,
                                INT32_MAX,
                                INT32_MIN,
                                INT64_MAX,
                                INT64_MIN,
                                int64_t(1) << 40,
                                int64_t(1) << 31,
                                -(int64_t(1) << 40)};
constexpr float Floats[] = {0,
                            -0.0f,
                            1,
                            -1,
                            0.5f,
                            6,
                            1e30f,
                            -1e30f,
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()};

class Mutator {
public:
  explicit Mutator(unsigned Seed) : Random(Seed) {}

  void mutate(ModelProto &P) {
    for (unsigned Changes = 1 + pick(4); Changes; --Changes) {
      survey(P);
      change(*Messages[pick(Messages.size())]);
    }
  }

  /// Puts a message of \p From into \p Into, in the place of one of its type.
  void cross(ModelProto &Into, ModelProto &From) {
    survey(From);
    const Message &Given = *Messages[pick(Messages.size())];
    survey(Into);
    std::vector<Message *> Places;
    llvm::copy_if(Messages, std::back_inserter(Places),
                  [&](const Message *M) { return M->GetDescriptor() == Given.GetDescriptor(); });
    if (!Places.empty())
      Places[pick(Places.size())]->CopyFrom(Given);
  }

private:
  size_t pick(size_t Choices) { return Random() % Choices; }

  /// Collects the messages and strings of \p P.
  void survey(ModelProto &P) {
    Messages.clear();
    Strings.clear();
    visit(P);
  }

  void visit(Message &M) {
    Messages.push_back(&M);
    const Reflection &R = *M.GetReflection();
    std::vector<const FieldDescriptor *> Fields;
    R.ListFields(M, &Fields);
    for (const FieldDescriptor *F : Fields) {
      int Count = F->is_repeated() ? R.FieldSize(M, F) : 1;
      for (int I = 0; I < Count; ++I)
        if (F->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
          visit(F->is_repeated() ? *R.MutableRepeatedMessage(&M, F, I) : *R.MutableMessage(&M, F));
        else if (F->type() == FieldDescriptor::TYPE_STRING)
          Strings.push_back(F->is_repeated() ? R.GetRepeatedString(M, F, I) : R.GetString(M, F));
    }
  }

  void change(Message &M) {
    const Reflection &R = *M.GetReflection();
    // Mostly a field that is there; sometimes any.
    std::vector<const FieldDescriptor *> Fields;
    R.ListFields(M, &Fields);
    const FieldDescriptor *F = Fields.empty() || pick(4) == 0
                                   ? M.GetDescriptor()->field(pick(M.GetDescriptor()->field_count()))
                                   : Fields[pick(Fields.size())];
    if (!F->is_repeated()) {
      if (R.HasField(M, F) && pick(8) == 0)
        R.ClearField(&M, F);
      else
        set(M, F, -1);
      return;
    }
    int Count = R.FieldSize(M, F);
    switch (Count ? pick(6) : 0) {
    case 0:
      add(M, F);
      break;
    case 1:
      R.RemoveLast(&M, F);
      break;
    case 2:
      R.SwapElements(&M, F, pick(Count), pick(Count));
      break;
    case 3: // any of them goes
      R.SwapElements(&M, F, pick(Count), Count - 1);
      R.RemoveLast(&M, F);
      break;
    default:
      set(M, F, pick(Count));
      break;
    }
  }

  /// Appends an element: of a message often a copy of another.
  void add(Message &M, const FieldDescriptor *F) {
    const Reflection &R = *M.GetReflection();
    int Count = R.FieldSize(M, F);
    switch (F->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      // A copy of its own: the field may move when it grows.
      std::unique_ptr<Message> Copy;
      if (Count && pick(4)) {
        const Message &Old = R.GetRepeatedMessage(M, F, pick(Count));
        Copy.reset(Old.New());
        Copy->CopyFrom(Old);
      }
      Message &New = *R.AddMessage(&M, F);
      if (Copy)
        New.CopyFrom(*Copy);
      return;
    }
    case FieldDescriptor::CPPTYPE_STRING:
      return R.AddString(&M, F, text(""));
    case FieldDescriptor::CPPTYPE_INT64:
      return R.AddInt64(&M, F, integer(0));
    case FieldDescriptor::CPPTYPE_INT32:
      return R.AddInt32(&M, F, integer(0));
    case FieldDescriptor::CPPTYPE_UINT64:
      return R.AddUInt64(&M, F, integer(0));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return R.AddFloat(&M, F, real());
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return R.AddDouble(&M, F, real());
    default:
      return;
    }
  }

  /// Gives a field, or its element \p I, another value.
  void set(Message &M, const FieldDescriptor *F, int I) {
    const Reflection &R = *M.GetReflection();
    bool Many = F->is_repeated();
    switch (F->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      change(Many ? *R.MutableRepeatedMessage(&M, F, I) : *R.MutableMessage(&M, F));
      return;
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string Old = Many ? R.GetRepeatedString(M, F, I) : R.GetString(M, F);
      std::string New = F->type() == FieldDescriptor::TYPE_BYTES ? bytes(std::move(Old)) : text(std::move(Old));
      return Many ? R.SetRepeatedString(&M, F, I, New) : R.SetString(&M, F, New);
    }
    case FieldDescriptor::CPPTYPE_INT64:
      return Many ? R.SetRepeatedInt64(&M, F, I, integer(R.GetRepeatedInt64(M, F, I)))
                  : R.SetInt64(&M, F, integer(R.GetInt64(M, F)));
    case FieldDescriptor::CPPTYPE_INT32:
      return Many ? R.SetRepeatedInt32(&M, F, I, integer(R.GetRepeatedInt32(M, F, I)))
                  : R.SetInt32(&M, F, pick(2) ? 1 + pick(24) : integer(R.GetInt32(M, F)));
    case FieldDescriptor::CPPTYPE_UINT64:
      return Many ? R.SetRepeatedUInt64(&M, F, I, integer(0)) : R.SetUInt64(&M, F, integer(0));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Many ? R.SetRepeatedFloat(&M, F, I, real()) : R.SetFloat(&M, F, real());
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Many ? R.SetRepeatedDouble(&M, F, I, real()) : R.SetDouble(&M, F, real());
    case FieldDescriptor::CPPTYPE_ENUM:
      return Many ? void()
                  : R.SetEnumValue(&M, F, F->enum_type()->value(pick(F->enum_type()->value_count()))->number());
    default:
      return;
    }
  }

  int64_t integer(int64_t Old) {
    switch (pick(4)) {
    case 0:
      return static_cast<int64_t>(static_cast<uint64_t>(Old) + 1);
    case 1:
      return static_cast<int64_t>(static_cast<uint64_t>(Old) - 1);
    case 2:
      return static_cast<int64_t>(pick(10));
    default:
      return Integers[pick(std::size(Integers))];
    }
  }

  float real() { return Floats[pick(std::size(Floats))]; }

  std::string text(std::string Old) {
    if (!Strings.empty() && pick(2))
      return Strings[pick(Strings.size())];
    if (pick(4))
      return Words[pick(std::size(Words))].str();
    return Old + "_";
  }

  std::string bytes(std::string Old) {
    size_t Size = Old.size();
    Old.resize(Size + 64);
    Old.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t *>(Old.data()), Size, Old.size()));
    return Old;
  }

  std::mt19937 Random;
  std::vector<Message *> Messages;
  std::vector<std::string> Strings;
};

} // namespace

/// The model in \p Data, binary or text; empty if there is none.
static ModelProto parse(const uint8_t *Data, size_t Size) {
  llvm::StringRef Bytes = deepshare::fuzz::toText(Data, Size);
  ModelProto P;
  if (!Bytes.starts_with("<")) {
    google::protobuf::LogSilencer Silence;
    if (!P.ParsePartialFromArray(Bytes.data(), static_cast<int>(Bytes.size())))
      P.Clear();
    return P;
  }
  llvm::Expected<std::unique_ptr<deepshare::Model>> M = deepshare::parseModelText(Bytes, "seed");
  if (!deepshare::fuzz::refused(M.takeError()))
    P.ParsePartialFromString(llvm::cantFail(serializeModel(**M)));
  return P;
}

/// Writes \p P to \p Into if it fits; returns its size, or that of what was there.
static size_t write(const ModelProto &P, uint8_t *Into, size_t Size, size_t MaxSize) {
  std::string Bytes = P.SerializePartialAsString();
  if (Bytes.size() > MaxSize)
    return Size;
  llvm::copy(Bytes, Into);
  return Bytes.size();
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *Data, size_t Size, size_t MaxSize, unsigned Seed) {
  ModelProto P;
  if (Seed % 8 == 0 || (P = parse(Data, Size)).ByteSizeLong() == 0)
    return LLVMFuzzerMutate(Data, Size, MaxSize);
  Mutator(Seed).mutate(P);
  return write(P, Data, Size, MaxSize);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t *First, size_t FirstSize, const uint8_t *Second,
                                            size_t SecondSize, uint8_t *Out, size_t MaxOutSize, unsigned Seed) {
  ModelProto Into = parse(First, FirstSize), From = parse(Second, SecondSize);
  if (Into.ByteSizeLong() == 0 || From.ByteSizeLong() == 0)
    return 0;
  Mutator(Seed).cross(Into, From);
  return write(Into, Out, 0, MaxOutSize);
}
