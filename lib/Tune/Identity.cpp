//===- Identity.cpp - which training a checkpoint is of -------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Identity.h"

#include "deepshare/Exec/Communicator.h"
#include "deepshare/IR/Fingerprint.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SHA256.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace deepshare;
using namespace deepshare::tune;

/// Images whose pixels take part: reading all of a large set would take longer than it is worth.
static constexpr uint64_t SampledImages = 64;

static std::string hexOf(llvm::SHA256 &Hash) { return llvm::toHex(Hash.final(), /*LowerCase=*/true); }

/// Adds the weights of a graph: its initialisers, and the tensors that nodes hold.
static void addTensors(const Graph &G, llvm::SHA256 &Hash) {
  auto Add = [&](const Tensor &T) { Hash.update(llvm::StringRef(T.bytes().data(), T.bytes().size())); };
  for (const Value *Init : G.initializers())
    if (const Tensor *T = Init->initializer())
      Add(*T);
  for (const Node &N : G) {
    for (const Attribute &A : N.attributes())
      if (const auto *T = std::get_if<Tensor>(&A.Value))
        Add(*T);
    for (const Graph *Inner : N.subgraphs())
      addTensors(*Inner, Hash);
  }
}

static std::string modelIdentity(const Model *M) {
  if (!M)
    return "none";
  llvm::SHA256 Hash;
  Hash.update(structureFingerprint(*M));
  addTensors(M->graph(), Hash);
  for (const Function &F : M->functions())
    addTensors(*F.Body, Hash);
  return hexOf(Hash);
}

static std::string imagesIdentity(const ImageSet &Images) {
  llvm::SHA256 Hash;
  Hash.update(fmt::format("{} of {}", Images.size(), fmt::join(Images.shape(), ",")));
  if (Images.hasLabels() && Images.labelShape().empty())
    for (uint64_t I = 0; I < Images.size(); ++I)
      Hash.update(fmt::format("{},", Images.label(I)));
  std::vector<float> Pixels(*numElements(Images.shape()));
  uint64_t Stride = std::max<uint64_t>(1, Images.size() / SampledImages);
  for (uint64_t I = 0; I < Images.size(); I += Stride) {
    // An image that cannot be read fails the training where it is needed, with a better message.
    if (llvm::Error E = Images.batch({I}, Pixels))
      llvm::consumeError(std::move(E));
    Hash.update(llvm::StringRef(reinterpret_cast<const char *>(Pixels.data()), Pixels.size() * sizeof(float)));
    std::vector<int64_t> Labels;
    if (Images.hasLabels())
      Images.labels(I, Labels);
    Hash.update(llvm::StringRef(reinterpret_cast<const char *>(Labels.data()), Labels.size() * sizeof(int64_t)));
  }
  return hexOf(Hash);
}

static std::string optionsIdentity(const TrainingOptions &O) {
  const Augmentation &A = O.Augment;
  std::string Text = fmt::format("{}/{}/{}/{}/{}/{}/{}/{}", O.Steps, O.BatchSize, O.Seed, int(O.Train),
                                 int(O.Optimizer), O.LearningRate, O.WarmupSteps, O.Momentum);
  Text += fmt::format("/{}/{}/{}/{}/{}/{}/{}/{}", O.WeightDecay, O.ClipNorm, O.EmaDecay, O.TeacherWeight, O.Temperature,
                      O.ActivationWeight, O.LabelWeight, O.LabelSmoothing);
  Text += fmt::format("/{}/{}/{}/{}/{}/{}/{}", O.SmoothPart, O.FirstSharpness, O.LastSharpness, A.Flip, A.CropPadding,
                      A.Cutout, A.MixupAlpha);
  Text += fmt::format("/{}/{}/{}", O.Renormalize, O.Processes ? O.Processes->size() : 1, O.GateNoise);
  llvm::SHA256 Hash;
  Hash.update(Text);
  if (O.Polarize) {
    Hash.update(fmt::format("/{}", O.Polarize->Target));
    for (const Polarization::Mask &Mask : O.Polarize->Masks)
      Hash.update(fmt::format("/{} {}", Mask.Name, fmt::join(Mask.Prices, ",")));
  }
  return hexOf(Hash);
}

std::string deepshare::trainingIdentity(const Model &M, const Model *Teacher, const ImageSet &Images,
                                        const TrainingOptions &O) {
  return fmt::format("model {}\nteacher {}\nimages {}\noptions {}\n", modelIdentity(&M), modelIdentity(Teacher),
                     imagesIdentity(Images), optionsIdentity(O));
}

std::string tune::differences(llvm::StringRef Stored, llvm::StringRef Own) {
  std::vector<std::string> Parts;
  for (llvm::StringRef Line : llvm::split(Own.trim(), '\n'))
    if (!llvm::is_contained(llvm::split(Stored.trim(), '\n'), Line)) {
      llvm::StringRef Part = Line.split(' ').first;
      Parts.push_back(((Part.ends_with("s") ? "other " : "another ") + Part).str());
    }
  return fmt::format("{}", fmt::join(Parts, ", "));
}
