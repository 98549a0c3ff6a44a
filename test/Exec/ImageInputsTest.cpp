//===- ImageInputsTest.cpp - images as inputs of a model ------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Exec/ImageInputs.h"

#include "Graphs.h"

using namespace deepshare;

namespace {

/// Image i holds 10 i, 10 i + 1, ...
class Counting final : public ImageSet {
public:
  explicit Counting(std::vector<int64_t> Shape, std::vector<ImagePart> Parts = {})
      : Shape(std::move(Shape)), Parts(std::move(Parts)) {}
  uint64_t size() const override { return 4; }
  llvm::ArrayRef<int64_t> shape() const override { return Shape; }
  llvm::ArrayRef<ImagePart> parts() const override { return Parts; }
  bool hasLabels() const override { return false; }
  int64_t label(uint64_t) const override { return 0; }
  llvm::Error batch(llvm::ArrayRef<uint64_t> Indices, llvm::MutableArrayRef<float> Into) const override {
    size_t Each = Into.size() / Indices.size();
    for (size_t I = 0; I < Into.size(); ++I)
      Into[I] = static_cast<float>(10 * Indices[I / Each] + I % Each);
    return llvm::Error::success();
  }

private:
  std::vector<int64_t> Shape;
  std::vector<ImagePart> Parts;
};

TensorType floats(Shape Dims) { return {ElementType::Float32, std::move(Dims)}; }

TEST(ImageInputs, TheOnlyInput) {
  TestModel Net;
  Net.constant("w", at::ones({2}));
  Value *X = Net.input("x", floats({Dim::symbolic("N"), Dim::fixed(2), Dim::fixed(1)}));
  Counting Images({2, 1});
  ImageInputs Inputs = llvm::cantFail(ImageInputs::find(Net.M.graph(), Images));
  EXPECT_EQ(Inputs.inputs(), llvm::ArrayRef<const Value *>({X}));
  EXPECT_EQ(Inputs.batch(), std::nullopt);
  EXPECT_EQ(Inputs.batchInput(), nullptr);
  std::vector<at::Tensor> Batch = Inputs.split(llvm::cantFail(readImages(Images, {3, 1})));
  ASSERT_EQ(Batch.size(), 1u);
  EXPECT_TRUE(at::equal(Batch[0], at::tensor({30.f, 31.f, 10.f, 11.f}).view({2, 2, 1})));
}

TEST(ImageInputs, PartsByName) {
  TestModel Net;
  Value *B = Net.input("b", floats({Dim::fixed(2), Dim::fixed(1), Dim::fixed(2)})), *A = Net.input("a");
  Counting Images({5}, {{"a", {3}}, {"b", {1, 2}}});
  ImageInputs Inputs = llvm::cantFail(ImageInputs::find(Net.M.graph(), Images));
  EXPECT_EQ(Inputs.inputs(), llvm::ArrayRef<const Value *>({B, A}));
  EXPECT_EQ(Inputs.batch(), 2u);
  EXPECT_EQ(Inputs.batchInput(), Inputs.inputs()[0]);
  std::vector<at::Tensor> Batch = Inputs.split(llvm::cantFail(readImages(Images, {0, 2})));
  ASSERT_EQ(Batch.size(), 2u);
  EXPECT_TRUE(at::equal(Batch[0], at::tensor({3.f, 4.f, 23.f, 24.f}).view({2, 1, 2})));
  EXPECT_TRUE(at::equal(Batch[1], at::tensor({0.f, 1.f, 2.f, 20.f, 21.f, 22.f}).view({2, 3})));
  EXPECT_EQ(Inputs.split(at::empty({0, 5}))[0].sizes(), at::IntArrayRef({0, 1, 2}));
}

TEST(ImageInputs, Errors) {
  TestModel None, One, Two;
  auto Error = [](TestModel &Net, const Counting &Images) {
    return messageOf(ImageInputs::find(Net.M.graph(), Images));
  };
  One.input("a", floats({Dim::fixed(3), Dim::fixed(2)}));
  Two.input("a", floats({Dim::fixed(3), Dim::fixed(2)}));
  Two.input("b", floats({Dim::fixed(4), Dim::fixed(3)}));
  EXPECT_EQ(Error(None, Counting({2})), "the model has no input to give images to");
  EXPECT_EQ(Error(One, Counting({3})), "the model's input 'a' is float[3,2], but the images are float[3]");
  EXPECT_EQ(Error(Two, Counting({2})),
            "the model has 2 inputs ('a', 'b'): give an .npz with an array for each, of the input's name");
  EXPECT_EQ(Error(Two, Counting({5}, {{"a", {2}}, {"c", {3}}})),
            "the images have no array 'b' for the model's input of that name");
  EXPECT_EQ(Error(Two, Counting({5}, {{"a", {2}}, {"b", {3}}})),
            "the model's input 'b' takes 4 images at a time, but input 'a' takes 3");
  TestModel Empty, Bytes;
  Empty.input("a", floats({Dim::fixed(0), Dim::fixed(2)}));
  EXPECT_EQ(Error(Empty, Counting({2})), "the model's input 'a' is float[0,2]: it has no room for an image");
  Bytes.input("a", TensorType{ElementType::UInt8, std::nullopt});
  EXPECT_EQ(Error(Bytes, Counting({2})), "the model's input 'a' is uint8, but the images are float[2]");
}

} // namespace
