BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0003');
CREATE TABLE allocations (
	run_id TEXT NOT NULL, 
	role TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	step BIGINT NOT NULL, 
	operation TEXT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	CONSTRAINT pk_allocations PRIMARY KEY (run_id, role, position), 
	CONSTRAINT ck_allocations_role CHECK (role IN ('reference', 'candidate')), 
	CONSTRAINT ck_allocations_operation CHECK (operation IN ('malloc', 'free')), 
	CONSTRAINT fk_allocations_runs FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',0,-1,'malloc',2496);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',1,-1,'free',2496);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',2,-1,'malloc',1024);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',3,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',4,-1,'free',1024);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',5,-1,'malloc',1024);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',6,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',7,-1,'free',1024);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',8,-1,'malloc',262144);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',9,-1,'malloc',131072);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',10,-1,'malloc',262144);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',11,-1,'malloc',262144);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',12,-1,'malloc',131072);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',13,-1,'malloc',262144);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',14,-1,'malloc',262144);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',15,-1,'malloc',131072);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',16,-1,'malloc',262144);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',17,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',18,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',19,-1,'malloc',16384);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',20,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',21,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',22,-1,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',23,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',24,-1,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',25,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',26,-1,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',27,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',28,-1,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',29,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',30,-1,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',31,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',32,-1,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',33,0,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',34,0,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',35,0,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',36,0,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',37,1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',38,1,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',39,1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',40,1,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',41,2,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',42,2,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',43,2,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',44,2,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',45,3,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',46,3,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',47,3,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',48,3,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',49,4,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',50,4,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',51,4,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',52,4,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',53,5,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',54,5,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',55,5,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',56,5,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',57,6,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',58,6,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',59,6,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',60,6,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',61,7,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',62,7,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',63,7,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','reference',64,7,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',0,-1,'malloc',2496);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',1,-1,'free',2496);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',2,-1,'malloc',1024);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',3,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',4,-1,'free',1024);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',5,-1,'malloc',1024);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',6,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',7,-1,'free',1024);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',8,-1,'malloc',262144);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',9,-1,'malloc',131072);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',10,-1,'malloc',262144);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',11,-1,'malloc',262144);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',12,-1,'malloc',131072);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',13,-1,'malloc',262144);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',14,-1,'malloc',262144);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',15,-1,'malloc',131072);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',16,-1,'malloc',262144);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',17,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',18,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',19,-1,'malloc',16384);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',20,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',21,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',22,-1,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',23,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',24,-1,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',25,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',26,-1,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',27,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',28,-1,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',29,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',30,-1,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',31,-1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',32,-1,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',33,0,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',34,0,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',35,0,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',36,0,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',37,1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',38,1,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',39,1,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',40,1,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',41,2,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',42,2,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',43,2,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',44,2,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',45,3,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',46,3,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',47,3,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',48,3,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',49,4,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',50,4,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',51,4,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',52,4,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',53,5,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',54,5,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',55,5,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',56,5,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',57,6,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',58,6,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',59,6,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',60,6,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',61,7,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',62,7,'free',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',63,7,'malloc',512);
INSERT INTO "allocations" VALUES('01m883ncbw0d3v3ws6m5q2wez1','candidate',64,7,'free',512);
CREATE TABLE checks (
	run_id TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	required BOOLEAN NOT NULL, 
	value DOUBLE, 
	"limit" DOUBLE, 
	unit TEXT, 
	message TEXT NOT NULL, 
	evidence TEXT NOT NULL, 
	CONSTRAINT pk_checks PRIMARY KEY (run_id, position), 
	CONSTRAINT ck_checks_outcome CHECK (outcome IN ('pass', 'fail', 'inconclusive', 'not_measured', 'not_applicable')), 
	CONSTRAINT fk_checks_runs FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "checks" VALUES('01m883ncbw0d3v3ws6m5q2wez1',0,'integrity.same_batches','pass',1,NULL,NULL,NULL,'both sides were handed the same 14 batches, and neither changed one','{}');
INSERT INTO "checks" VALUES('01m883ncbw0d3v3ws6m5q2wez1',1,'integrity.frozen_reference','pass',1,NULL,NULL,NULL,'every frozen file has the digest of its manifest','{}');
INSERT INTO "checks" VALUES('01m883ncbw0d3v3ws6m5q2wez1',2,'numerics.synchronized','pass',1,1.0,4.0,'error ratio','every tap is as close to the float64 oracle as the reference''s: worst forward.layer0.output; 26 comparisons of 13 taps at 2 steps, 13 taps bit-equal throughout; the reference repeats itself bit for bit','{"worst_tap":"forward.layer0.output","taps_over_limit":0,"bit_equal_taps":13,"witness":"float64 oracle","reference_is_repeatable":true}');
INSERT INTO "checks" VALUES('01m883ncbw0d3v3ws6m5q2wez1',3,'numerics.sign_disagreements','pass',1,0.0,8.0,'times the rounding bound','0 of 128 units flipped in the candidate, 0 in the reference','{"candidate_flips":0,"reference_flips":0,"units":128}');
INSERT INTO "checks" VALUES('01m883ncbw0d3v3ws6m5q2wez1',4,'numerics.free_running','pass',1,0.0,3.0,'widths of the band','loss and weights stay within the perturbation band (6 steps, 2 perturbed references); final losses 0.0865041 and 0.0865041','{"loss":0.0,"weights":0.0,"left_at":null}');
INSERT INTO "checks" VALUES('01m883ncbw0d3v3ws6m5q2wez1',5,'learning.loss_falls','inconclusive',1,NULL,NULL,NULL,'12 steps are too few to compare the first tenth with the last; use at least 20','{}');
INSERT INTO "checks" VALUES('01m883ncbw0d3v3ws6m5q2wez1',6,'learning.outputs_vary','inconclusive',1,4.67928087863695774117e-01,0.5,'of the data''s spread','outputs'' spread over inputs as a share of the data''s: candidate 46.8%, reference 46.8%; the reference itself does not reach it: train longer, or look at the reference first','{"reference":0.4679280878636958,"candidate":0.4679280878636958}');
INSERT INTO "checks" VALUES('01m883ncbw0d3v3ws6m5q2wez1',7,'learning.color_reconstruction','inconclusive',1,5.80111727118492126464e-01,0.05,'largest channel error','Absolute Zero [0.000, 0.280, 0.730] comes back as [0.220, 0.414, 0.150] from the candidate and [0.220, 0.414, 0.150] from the reference; mean RGB error over all colours 0.2730 and 0.2730; the reference itself does not reach it: train longer, or look at the reference first','{"reference":0.5801117271184921,"candidate":0.5801117271184921}');
INSERT INTO "checks" VALUES('01m883ncbw0d3v3ws6m5q2wez1',8,'checkpoint.transfer','not_measured',0,NULL,NULL,NULL,'the plan does not ask for the checkpoint phase','{}');
INSERT INTO "checks" VALUES('01m883ncbw0d3v3ws6m5q2wez1',9,'checkpoint.resume','not_measured',0,NULL,NULL,NULL,'the plan does not ask for the checkpoint phase','{}');
INSERT INTO "checks" VALUES('01m883ncbw0d3v3ws6m5q2wez1',10,'performance.step_time','inconclusive',1,1.0339718464651941332e+00,1.05,'of the reference''s step time','the reference against itself came out at 0.9996 [0.9086, 1.0997], not within 2.50%: this machine supports a margin of 20.12%; 1.0340 [1.0258, 1.0412] of the reference''s step time (94% interval) from 8 blocks with a spread of 0.88%; an effect of 1.15% would have been seen','{"clock":"perf_counter","margin":0.05,"decision":"equivalent","sessions":{"a_a":{"blocks":8,"planned_blocks":8,"valid_blocks":8,"rejected_blocks":[],"slices_without_counters":0,"fault":null,"extended":false,"ratio":0.9995689591265591,"low":0.908587598110875,"high":1.0996607329075911,"confidence":0.94,"t_interval":[0.908587598110875,1.0996607329075911],"bootstrap_interval":[0.9741996664295484,1.0309522551127632],"mean_ratio":[1.0102636171686583,0.8879614061695121,1.1494109643543022],"spread":0.12045487614943481,"smallest_visible_effect":0.16846454470475655,"equivalence_p":0.14676647368576112},"sampler":{"blocks":8,"planned_blocks":8,"valid_blocks":8,"rejected_blocks":[],"slices_without_counters":0,"fault":null,"extended":false,"ratio":0.980513738501756,"low":0.9479797848756135,"high":1.0166999038965205,"confidence":0.94,"t_interval":[0.9479797848756135,1.0141642329607676],"bootstrap_interval":[0.9863648494990495,1.0166999038965205],"mean_ratio":[1.0073936650141058,0.9013093646706776,1.1259641096499178],"spread":0.042590858133102885,"smallest_visible_effect":0.05659302573592216,"equivalence_p":0.04723283064446913},"comparison":{"blocks":8,"planned_blocks":8,"valid_blocks":8,"rejected_blocks":[],"slices_without_counters":0,"fault":null,"extended":false,"ratio":1.0339718464651941,"low":1.0258242435429092,"high":1.0412373403547956,"confidence":0.94,"t_interval":[1.0267570493758458,1.0412373403547956],"bootstrap_interval":[1.0258242435429092,1.0395345796990512],"mean_ratio":[1.0710670161606919,1.0201188619058041,1.1245596919599912],"spread":0.008838153935445582,"smallest_visible_effect":0.011489002464650531,"equivalence_p":0.0008540802697673123}},"step_time_ms":{"reference":{"median":0.22116950276540592,"smallest_slice":0.21948700305074453,"largest_slice":0.22415399871533737,"mean":0.6985468290062832,"wall":0.6996865762340638,"steps":1456},"candidate":{"median":0.2288309988216497,"smallest_slice":0.22572599846171215,"largest_slice":0.2333470001758542,"mean":0.7477144746354787,"wall":0.748969622936084,"steps":1456}},"power_capped_share":{"reference":null,"candidate":null}}');
INSERT INTO "checks" VALUES('01m883ncbw0d3v3ws6m5q2wez1',11,'utilization.floor','not_measured',0,NULL,NULL,NULL,'the run was on a CPU, where there is no kernel-resident time','{"label":"kernel-resident time","blocks":8,"fill_blocks_per_sm":null,"matrix_peak_flops_per_s":43922969519.73213,"sampler":"process","reference":{"slices":16,"slices_with_utilization":0,"kernel_resident_pct":null,"busy_s_per_step":0.0006985468290062832,"flops_per_s":14659002.911181914,"matrix_peak_share":0.0003337434392862815,"joules_per_step":null,"sm_clock_mhz":null,"activity":{"process_rss_bytes":404498792.9830572}},"candidate":{"slices":16,"slices_with_utilization":0,"kernel_resident_pct":null,"busy_s_per_step":0.0007477144746354787,"flops_per_s":13695067.231368154,"matrix_peak_share":0.00031179738940956,"joules_per_step":null,"sm_clock_mhz":null,"activity":{"process_rss_bytes":404500480.0}}}');
INSERT INTO "checks" VALUES('01m883ncbw0d3v3ws6m5q2wez1',12,'utilization.not_reduced','not_measured',0,NULL,NULL,NULL,'the run was on a CPU, where there is no kernel-resident time','{"label":"kernel-resident time","blocks":8,"fill_blocks_per_sm":null,"matrix_peak_flops_per_s":43922969519.73213,"sampler":"process","reference":{"slices":16,"slices_with_utilization":0,"kernel_resident_pct":null,"busy_s_per_step":0.0006985468290062832,"flops_per_s":14659002.911181914,"matrix_peak_share":0.0003337434392862815,"joules_per_step":null,"sm_clock_mhz":null,"activity":{"process_rss_bytes":404498792.9830572}},"candidate":{"slices":16,"slices_with_utilization":0,"kernel_resident_pct":null,"busy_s_per_step":0.0007477144746354787,"flops_per_s":13695067.231368154,"matrix_peak_share":0.00031179738940956,"joules_per_step":null,"sm_clock_mhz":null,"activity":{"process_rss_bytes":404500480.0}}}');
INSERT INTO "checks" VALUES('01m883ncbw0d3v3ws6m5q2wez1',13,'memory.peak','pass',1,1985736.0,18762952.0,'bytes','the candidate''s pool peak is 1.9 MiB, the reference''s 1.9 MiB; 16.0 MiB more are allowed (5% or 16.0 MiB, whichever is more)','{"reference":{"pool":1985736,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1458176,"outside_the_pool_bytes":-527044,"context_bytes":null,"baseline_bytes":112017408},"candidate":{"pool":1985736,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1343488,"outside_the_pool_bytes":-641732,"context_bytes":null,"baseline_bytes":111796224}}');
INSERT INTO "checks" VALUES('01m883ncbw0d3v3ws6m5q2wez1',14,'memory.pattern','pass',1,0.0,0.0,'differing steps','set-up allocates the same, steps 0 to 7 4 events a step on both sides; the reference repeats itself from step 0, the candidate repeats itself from step 0','{"reference":{"events":65,"events_cut":false,"setup_events":33,"steady_step":[["malloc",512],["free",512],["malloc",512]],"steady_step_events":4,"repeats_from_step":0},"candidate":{"events":65,"events_cut":false,"setup_events":33,"steady_step":[["malloc",512],["free",512],["malloc",512]],"steady_step_events":4,"repeats_from_step":0}}');
INSERT INTO "checks" VALUES('01m883ncbw0d3v3ws6m5q2wez1',15,'memory.leak','pass',1,0.0,1024.0,'bytes a step','bytes in use in the pool change by 0 [0, 0] a step after the warm-up','{"pool_used_bytes":{"reference":{"estimate":0.0,"low":0.0,"high":0.0},"candidate":{"estimate":0.0,"low":0.0,"high":0.0}},"pool_held_bytes":{"reference":{"estimate":0.0,"low":0.0,"high":0.0},"candidate":{"estimate":0.0,"low":0.0,"high":0.0}},"device_used_bytes":{"reference":{"estimate":0.0,"low":0.0,"high":0.0},"candidate":{"estimate":0.0,"low":0.0,"high":0.0}},"confidence":0.99,"from_step":2,"steps":8}');
CREATE TABLE diffs (
	run_id TEXT NOT NULL, 
	phase TEXT NOT NULL, 
	step BIGINT NOT NULL, 
	position INTEGER NOT NULL, 
	tap TEXT NOT NULL, 
	shape TEXT NOT NULL, 
	dtype TEXT NOT NULL, 
	elements BIGINT NOT NULL, 
	reference_nan BIGINT NOT NULL, 
	reference_inf BIGINT NOT NULL, 
	candidate_nan BIGINT NOT NULL, 
	candidate_inf BIGINT NOT NULL, 
	mismatches BIGINT NOT NULL, 
	max_abs DOUBLE, 
	rms DOUBLE, 
	cosine DOUBLE, 
	max_ulp TEXT, 
	worst_index TEXT, 
	reference_error DOUBLE, 
	candidate_error DOUBLE, 
	reference_error_rms DOUBLE, 
	candidate_error_rms DOUBLE, 
	candidate_worst_index TEXT, 
	oracle_scale DOUBLE, 
	floor_scale DOUBLE NOT NULL, max_rel DOUBLE, reference_spread DOUBLE, reference_slack DOUBLE DEFAULT '1.0' NOT NULL, 
	CONSTRAINT pk_diffs PRIMARY KEY (run_id, phase, step, position), 
	CONSTRAINT fk_diffs_runs FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',0,0,'forward.layer0.output','[8, 8]','float32',64,0,0,0,0,0,0.0,0.0,9.99999999999999888977e-01,'00000000000000000000','[0, 0]',7.28951459194604467484e-08,7.28951459194604467484e-08,1.82159756741959283979e-08,1.82159756741959283979e-08,'[2, 5]',8.54262680646956762409e-01,1.0,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',0,1,'forward.layer1.output','[8, 16]','float32',128,0,0,0,0,0,0.0,0.0,1.0,'00000000000000000000','[0, 0]',8.8358535377253133447e-08,8.8358535377253133447e-08,2.00432276098727142469e-08,2.00432276098727142469e-08,'[7, 6]',7.25101557150555797726e-01,1.0,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',0,2,'loss.value','[]','float32',1,0,0,0,0,0,0.0,0.0,1.0,'00000000000000000000','[]',5.87442314237129892262e-09,5.87442314237129892262e-09,5.87442314237129892262e-09,5.87442314237129892262e-09,'[]',2.07726544055728074011e-01,1.13137084989847611635e+01,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',0,3,'backward.layer1.activation_grad','[8, 16]','float32',128,0,0,0,0,0,0.0,0.0,9.99999999999999888977e-01,'00000000000000000000','[0, 0]',1.83643435458513692992e-08,1.83643435458513692992e-08,5.52643385839540541648e-09,5.52643385839540541648e-09,'[7, 6]',2.5445010020036185061e-01,1.0,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',0,4,'backward.layer1.weight_grad','[8, 16]','float32',128,0,0,0,0,0,0.0,0.0,9.99999999999999777955e-01,'00000000000000000000','[0, 0]',4.16698907601542600787e-08,4.16698907601542600787e-08,9.43101102734167e-09,9.43101102734167e-09,'[4, 6]',0.681750910310007,1.0,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',0,5,'backward.layer1.bias_grad','[16]','float32',16,0,0,0,0,0,0.0,0.0,1.0,'00000000000000000000','[0]',5.32294567312519e-08,5.32294567312519e-08,2.08386572106644512962e-08,2.08386572106644512962e-08,'[8]',1.39847898185618935151e+00,1.0,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',0,6,'backward.layer0.activation_grad','[8, 8]','float32',64,0,0,0,0,0,0.0,0.0,1.0,'00000000000000000000','[0, 0]',4.42497642000327928712e-08,4.42497642000327928712e-08,1.17385807648219710923e-08,1.17385807648219710923e-08,'[2, 2]',0.3775611472887,1.33333333333333325931e+00,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',0,7,'backward.layer0.weight_grad','[16, 8]','float32',128,0,0,0,0,0,0.0,0.0,1.0,'00000000000000000000','[0, 0]',8.93056730788544e-08,8.93056730788544e-08,1.77479898408513514021e-08,1.77479898408513514021e-08,'[2, 4]',1.40057480382168542121e+00,1.0,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',0,8,'backward.layer0.bias_grad','[8]','float32',8,0,0,0,0,0,0.0,0.0,1.0,'00000000000000000000','[0]',1.15388075094813302712e-07,1.15388075094813302712e-07,4.37102316996181089643e-08,4.37102316996181089643e-08,'[4]',1.793578024857679587e+00,1.0,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',0,9,'update.layer0.weight','[16, 8]','float32',128,0,0,0,0,0,0.0,0.0,1.0,'00000000000000000000','[0, 0]',1.4003246395777324551e-08,1.4003246395777324551e-08,4.83350268700402e-09,4.83350268700402e-09,'[2, 0]',4.95304524898529052734e-01,1.02736947354450847136e+00,0.0,0.0,1.07992102427400804565e+00);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',0,10,'update.layer0.bias','[8]','float32',8,0,0,0,0,0,0.0,0.0,9.99999999999999888977e-01,'00000000000000000000','[0]',6.93459949185903923307e-10,6.93459949185903923307e-10,4.30877755771002065188e-10,4.30877755771002065188e-10,'[2]',0.02,1.80712320264978121286e+00,0.0,0.0,2.33990289339370649557e+00);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',0,11,'update.layer1.weight','[8, 16]','float32',128,0,0,0,0,0,0.0,0.0,1.0,'00000000000000000000','[0, 0]',1.50539949395067651494e-08,1.50539949395067651494e-08,6.88210995484865431471e-09,6.88210995484865431471e-09,'[1, 5]',5.00427976403482244194e-01,1.01483542302839824245e+00,0.0,0.0,1.04385565193652962712e+00);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',0,12,'update.layer1.bias','[16]','float32',16,0,0,0,0,0,0.0,0.0,1.0,'00000000000000000000','[0]',1.29802999251915629486e-09,1.29802999251915629486e-09,5.40614611410144543833e-10,5.40614611410144543833e-10,'[13]',0.02,1.41187892744108478559e+00,0.0,0.0,1.87517191333306820766e+00);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',2,0,'forward.layer0.output','[8, 8]','float32',64,0,0,0,0,0,0.0,0.0,1.0,'00000000000000000000','[0, 0]',5.58224071411928e-08,5.58224071411928e-08,1.61039926426985378939e-08,1.61039926426985378939e-08,'[1, 4]',8.25935419591938391192e-01,1.0,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',2,1,'forward.layer1.output','[8, 16]','float32',128,0,0,0,0,0,0.0,0.0,9.99999999999999888977e-01,'00000000000000000000','[0, 0]',8.66090948958842e-08,8.66090948958842e-08,2.04754175676101487927e-08,2.04754175676101487927e-08,'[7, 6]',5.57050068219424932003e-01,1.0,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',2,2,'loss.value','[]','float32',1,0,0,0,0,0,0.0,0.0,1.0,'00000000000000000000','[]',1.15229162600538614924e-08,1.15229162600538614924e-08,1.15229162600538614924e-08,1.15229162600538614924e-08,'[]',2.29170683424326476762e-01,1.13137084989847611635e+01,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',2,3,'backward.layer1.activation_grad','[8, 16]','float32',128,0,0,0,0,0,0.0,0.0,9.99999999999999888977e-01,'00000000000000000000','[0, 0]',2.53775640224329634975e-08,2.53775640224329634975e-08,6.11901981316106121028e-09,6.11901981316106121028e-09,'[7, 6]',3.42190743019209708819e-01,1.0,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',2,4,'backward.layer1.weight_grad','[8, 16]','float32',128,0,0,0,0,0,0.0,0.0,1.0,'00000000000000000000','[0, 0]',5.9829260101729175858e-08,5.9829260101729175858e-08,1.12923780965783881319e-08,1.12923780965783881319e-08,'[2, 7]',5.63692348652499841676e-01,1.0,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',2,5,'backward.layer1.bias_grad','[16]','float32',16,0,0,0,0,0,0.0,0.0,9.99999999999999888977e-01,'00000000000000000000','[0]',4.63986757903711577455e-08,4.63986757903711577455e-08,1.95677225699375776403e-08,1.95677225699375776403e-08,'[1]',1.6055831490786749427e+00,1.0,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',2,6,'backward.layer0.activation_grad','[8, 8]','float32',64,0,0,0,0,0,0.0,0.0,1.0,'00000000000000000000','[0, 0]',5.72683737931623e-08,5.72683737931623e-08,1.2083788914721195802e-08,1.2083788914721195802e-08,'[2, 5]',4.20301101456512615772e-01,1.33333333333333325931e+00,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',2,7,'backward.layer0.weight_grad','[16, 8]','float32',128,0,0,0,0,0,0.0,0.0,9.99999999999999888977e-01,'00000000000000000000','[0, 0]',1.06726730730866137264e-07,1.06726730730866137264e-07,2.54875210314681334314e-08,2.54875210314681334314e-08,'[0, 5]',1.20232074485907,1.0,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',2,8,'backward.layer0.bias_grad','[8]','float32',8,0,0,0,0,0,0.0,0.0,9.99999999999999888977e-01,'00000000000000000000','[0]',9.632117958791042156e-08,9.632117958791042156e-08,4.52424415333953153835e-08,4.52424415333953153835e-08,'[5]',1.58626192721808556562e+00,1.0,0.0,0.0,4.0);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',2,9,'update.layer0.weight','[16, 8]','float32',128,0,0,0,0,0,0.0,0.0,1.0,'00000000000000000000','[0, 0]',1.4619677468630243311e-08,1.4619677468630243311e-08,5.23933761619176754844e-09,5.23933761619176754844e-09,'[3, 3]',4.95304524898529052734e-01,1.02937642903973114449e+00,0.0,0.0,1.08561424628831448835e+00);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',2,10,'update.layer0.bias','[8]','float32',8,0,0,0,0,0,0.0,0.0,1.0,'00000000000000000000','[0]',3.04401068240700567457e-09,3.04401068240700567457e-09,1.3897959732508946009e-09,1.3897959732508946009e-09,'[5]',5.99999991059303322549e-02,1.2606900035580834718e+00,0.0,0.0,1.62035076701408797816e+00);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',2,11,'update.layer1.weight','[8, 16]','float32',128,0,0,0,0,0,0.0,0.0,1.0,'00000000000000000000','[0, 0]',1.48331747995555929264e-08,1.48331747995555929264e-08,6.42659700705092475601e-09,6.42659700705092475601e-09,'[1, 0]',5.06841673582426599509e-01,1.01437979093200247859e+00,0.0,0.0,1.04252783147066763191e+00);
INSERT INTO "diffs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',2,12,'update.layer1.bias','[16]','float32',16,0,0,0,0,0,0.0,0.0,1.0,'00000000000000000000','[0]',1.30138388954037509392e-09,1.30138388954037509392e-09,6.95407697115238086467e-10,6.95407697115238086467e-10,'[5]',5.99999991059303322549e-02,1.17184741305883433071e+00,0.0,0.0,1.43993973398874541835e+00);
CREATE TABLE runs (
	id TEXT NOT NULL, 
	state TEXT NOT NULL, 
	reference TEXT NOT NULL, 
	candidate TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	started_at DATETIME, 
	finished_at DATETIME, 
	outcome TEXT, 
	summary TEXT, 
	error_code TEXT, 
	error_message TEXT, 
	progress_phase TEXT, 
	progress_done BIGINT, 
	progress_total BIGINT, 
	progress_message TEXT, 
	cancel_requested BOOLEAN NOT NULL, 
	worker TEXT, 
	plan_digest TEXT NOT NULL, 
	"plan" TEXT NOT NULL, 
	policy TEXT NOT NULL, 
	verdict TEXT, 
	record TEXT, 
	CONSTRAINT pk_runs PRIMARY KEY (id), 
	CONSTRAINT ck_runs_outcome CHECK (outcome IN ('PASS', 'FAIL', 'INCONCLUSIVE')), 
	CONSTRAINT ck_runs_state CHECK (state IN ('queued', 'running', 'finished', 'failed', 'cancelled'))
);
INSERT INTO "runs" VALUES('01m883ncbw0d3v3ws6m5q2wez1','finished','legacy','basemodel@forward','2026-11-25 01:03:31.708054','2026-11-25 01:03:31.731776','2026-11-25 01:04:28.966349','INCONCLUSIVE','Not decided whether basemodel@forward may replace legacy: learning.loss_falls, learning.outputs_vary, learning.color_reconstruction, … could not be decided.',NULL,NULL,'memory',2,2,'done',0,'lockstep run','ac631ad7c50f215a983f2636ebd37d14c3dfda020389c55072c0b9a3bb3461d9','{"reference":"legacy","candidate":"basemodel@forward","dataset":"colors-a-f","model":{"vector_length":16,"hidden_layers":1,"bottleneck":8,"alpha":0.01},"training":{"steps":12,"batch_size":8,"learning_rate":0.02,"clip":1.0},"synchronized":{"steps":4,"every":2,"witness":"auto"},"free_running":{"band_runs":2,"band_steps":6,"weights_every":10,"taps_every":0},"checkpoint":{"steps_before":20,"steps_after":20},"performance":{"blocks":8,"slice_seconds":0.02,"process_pairs":1},"memory":{"steps":8},"phases":["synchronized","free_running","performance","memory"],"seed":0,"device":"cpu"}','{"name":"default","required":{"integrity.same_batches":"always","integrity.frozen_reference":"always","numerics.synchronized":"always","numerics.sign_disagreements":"always","numerics.free_running":"always","learning.loss_falls":"always","learning.outputs_vary":"always","learning.color_reconstruction":"always","checkpoint.transfer":"where_measurable","checkpoint.resume":"where_measurable","performance.step_time":"where_measurable","utilization.floor":"where_measurable","utilization.not_reduced":"where_measurable","memory.peak":"where_measurable","memory.pattern":"where_measurable","memory.leak":"where_measurable"},"precision_class":"fp32","error_ratio":4.0,"sign_bound":8.0,"band":3.0,"loss_band_floor":1e-07,"weights_band_floor":5.960464477539063e-08,"confidence":0.99,"outputs_vary":0.5,"color_tolerance":0.05,"step_time_margin":0.05,"timing_alpha":0.03,"a_a_margin":0.025,"sampler_effect":0.005,"utilization_floor_pct":80.0,"utilization_drop_points":5.0,"fill_blocks_per_sm":4.0,"peak_share":0.05,"peak_slack_bytes":16777216.0,"leak_bytes_per_step":1024.0}','{"outcome":"INCONCLUSIVE","summary":"Not decided whether basemodel@forward may replace legacy: learning.loss_falls, learning.outputs_vary, learning.color_reconstruction, \u2026 could not be decided.","checks":[],"policy":"default","first_divergence":null}','{"plan":{"reference":"legacy","candidate":"basemodel@forward","dataset":"colors-a-f","model":{"vector_length":16,"hidden_layers":1,"bottleneck":8,"alpha":0.01},"training":{"steps":12,"batch_size":8,"learning_rate":0.02,"clip":1.0},"synchronized":{"steps":4,"every":2,"witness":"auto"},"free_running":{"band_runs":2,"band_steps":6,"weights_every":10,"taps_every":0},"checkpoint":{"steps_before":20,"steps_after":20},"performance":{"blocks":8,"slice_seconds":0.02,"process_pairs":1},"memory":{"steps":8},"phases":["synchronized","free_running","performance","memory"],"seed":0,"device":"cpu"},"subjects":{"reference":{"name":"legacy","version":"1","source_digest":"919caf5679497ac49c2f08d63ed49949e4961bd242e4fbe3503fbb3d29b9b23e","parameter_count":280,"step_flops":10240,"device":"cpu","sources":{"forward.":"legacy.gpu_text_autoencoder.GPUTextAutoencoder.forward_gpu","loss.":"legacy.gpu_text_autoencoder.GPUTextAutoencoder.mse_loss_gpu","backward.":"legacy.gpu_text_autoencoder.GPUTextAutoencoder.backward_gpu_safe","update":"legacy.gpu_text_autoencoder.GPUTextAutoencoder._clip_and_update"}},"candidate":{"name":"basemodel@forward","version":"1","source_digest":"c19a04f710e8b31c4b24e9c1e7b65ab56beabba5c145ae2f7e4da20d279d46e4","parameter_count":280,"step_flops":10240,"device":"cpu","sources":{"forward.":"basemodel.own_parts.forward (rung forward)","loss.":"basemodel.own_parts.loss (rung forward)","backward.":"legacy.gpu_text_autoencoder.GPUTextAutoencoder.backward_gpu_safe (rung wrapper)","update":"legacy.gpu_text_autoencoder.GPUTextAutoencoder._clip_and_update (rung wrapper)"}}},"environment":{"device":"cpu","python":"3.11.7","platform":"Linux-6.18.44-fc-v595-x86_64-with-glibc2.36","processor":"AMD EPYC","cores":2,"memory_bytes":25276514304,"gpus":[],"driver":null,"no_gpu_reason":"NVML answers: the NVML library was not found (code 12); install the NVIDIA driver, or give the container the GPU","packages":{"lockstep":"0.1.0","numpy":"2.4.6","scipy":"1.17.1","nvidia-ml-py":"13.615.71","sqlalchemy":"2.1.9","fastapi":"0.165.0"},"git_revision":"ea333c209521334f0f880a72f55d5b0080a263cf","command":["cli.py","run","--database","sqlite:///lockstep.db","--steps","12","--sync-steps","4","--sync-every","2","--phases","synchronized,free_running,performance,memory","--blocks","8","--slice-seconds","0.02","--process-pairs","1","--memory-steps","8","--vector-length","16","--hidden-layers","1","--bottleneck","8","--batch-size","8","--band-steps","6","--band-runs","2","--candidate","basemodel@forward","--device","cpu","--quiet"]},"integrity":{"dataset_digest":"a072e83cf41dc3242a65187e988cad7740004f9563941e9e803beee48460eebd","dataset_rows":264,"batches":[{"phase":"synchronized","expected":2,"planned_digest":"870856245837f1cd62830c9866378eb88118085925d2e082fe5ef683744fa006","reference_count":2,"reference_digest":"870856245837f1cd62830c9866378eb88118085925d2e082fe5ef683744fa006","candidate_count":2,"candidate_digest":"870856245837f1cd62830c9866378eb88118085925d2e082fe5ef683744fa006"},{"phase":"free_running","expected":12,"planned_digest":"585d3272fe6f3d59b3c69028f9d89aa8eaba78e63757c49df0c64bdf35c67a27","reference_count":12,"reference_digest":"585d3272fe6f3d59b3c69028f9d89aa8eaba78e63757c49df0c64bdf35c67a27","candidate_count":12,"candidate_digest":"585d3272fe6f3d59b3c69028f9d89aa8eaba78e63757c49df0c64bdf35c67a27"}],"changed_files":[]},"synchronized":{"expected_steps":[0,2],"expected_taps":["forward.layer0.output","forward.layer1.output","loss.value","backward.layer1.activation_grad","backward.layer1.weight_grad","backward.layer1.bias_grad","backward.layer0.activation_grad","backward.layer0.weight_grad","backward.layer0.bias_grad","update.layer0.weight","update.layer0.bias","update.layer1.weight","update.layer1.bias"],"compared_steps":[0,2],"comparisons":26,"reference_start_digest":"9b1ab0121fede1eb74a90e657aae4f6e24f560b32c56976e80b0c872fe7d2677","candidate_start_digest":"9b1ab0121fede1eb74a90e657aae4f6e24f560b32c56976e80b0c872fe7d2677","witness":"float64 oracle","diffs":[],"signs":[{"step":0,"tap":"forward.layer0.output","side":"reference","elements":64,"flips":0,"worst_excess":null},{"step":0,"tap":"forward.layer0.output","side":"candidate","elements":64,"flips":0,"worst_excess":null},{"step":2,"tap":"forward.layer0.output","side":"reference","elements":64,"flips":0,"worst_excess":null},{"step":2,"tap":"forward.layer0.output","side":"candidate","elements":64,"flips":0,"worst_excess":null}],"sign_taps":["forward.layer0.output"],"losses":[],"troubles":[],"seconds":0.09114885600138223,"determinism":{"steps":[0,2],"differing_taps":[]},"planned_start_digest":"9b1ab0121fede1eb74a90e657aae4f6e24f560b32c56976e80b0c872fe7d2677"},"free_running":{"expected_steps":12,"reference_steps":12,"candidate_steps":12,"reference_start_digest":"9b1ab0121fede1eb74a90e657aae4f6e24f560b32c56976e80b0c872fe7d2677","candidate_start_digest":"9b1ab0121fede1eb74a90e657aae4f6e24f560b32c56976e80b0c872fe7d2677","weight_steps":[5],"candidate_weight_distances":[0.0],"members":[{"losses":[0.3476945459842682,0.23895485699176788,0.21062660217285156,0.20870018005371094,0.2054532766342163,0.1670428216457367],"weight_distances":[5.249090284745436e-07],"moved_fraction":1.0},{"losses":[0.3476945459842682,0.2389548420906067,0.21062660217285156,0.20870015025138855,0.20545324683189392,0.1670427918434143],"weight_distances":[5.24398835547015e-07],"moved_fraction":1.0}],"losses":[],"troubles":[],"seconds":0.09293439300381579,"reference_end_digest":"96cdfdeff2b7caa6b9b9f7810be56d2bbe51013071a80bab1a094a0eeed62674","candidate_end_digest":"96cdfdeff2b7caa6b9b9f7810be56d2bbe51013071a80bab1a094a0eeed62674","planned_start_digest":"9b1ab0121fede1eb74a90e657aae4f6e24f560b32c56976e80b0c872fe7d2677"},"learning":{"models":[{"side":"reference","rows":264,"varying_features":10,"data_spread":0.2761926092128356,"output_spread":0.12923827951104713,"mean_rgb_error":0.2730000219495986,"nonfinite":0,"named_right":0},{"side":"candidate","rows":264,"varying_features":10,"data_spread":0.2761926092128356,"output_spread":0.12923827951104713,"mean_rgb_error":0.2730000219495986,"nonfinite":0,"named_right":0}],"swatches":[{"name":"Absolute Zero","target":[0.0,0.2800000011920929,0.7300000190734863],"reference":[0.22003068029880524,0.414336621761322,0.1498882919549942],"candidate":[0.22003068029880524,0.414336621761322,0.1498882919549942]},{"name":"Alluring Umber","target":[0.5899999737739563,0.47999998927116394,0.30000001192092896],"reference":[0.3596034646034241,0.29198774695396423,0.26578301191329956],"candidate":[0.3596034646034241,0.29198774695396423,0.26578301191329956]},{"name":"Antique Turquoise","target":[0.0,0.3100000023841858,0.3100000023841858],"reference":[0.19856595993041992,0.3518381416797638,0.16455915570259094],"candidate":[0.19856595993041992,0.3518381416797638,0.16455915570259094]},{"name":"Ash Rose","target":[0.7099999785423279,0.5099999904632568,0.49000000953674316],"reference":[0.4529408812522888,0.3425211012363434,0.3398216664791107],"candidate":[0.4529408812522888,0.3425211012363434,0.3398216664791107]},{"name":"Baker Rose","target":[0.75,0.5099999904632568,0.5199999809265137],"reference":[0.42657923698425293,0.35221555829048157,0.14063864946365356],"candidate":[0.42657923698425293,0.35221555829048157,0.14063864946365356]},{"name":"Beacon Yellow","target":[0.949999988079071,0.7900000214576721,0.5400000214576721],"reference":[0.47162508964538574,0.415555477142334,0.35621556639671326],"candidate":[0.47162508964538574,0.415555477142334,0.35621556639671326]},{"name":"Bitter Orange","target":[0.8399999737739563,0.46000000834465027,0.17000000178813934],"reference":[0.3296065330505371,0.2090236395597458,0.16901646554470062],"candidate":[0.3296065330505371,0.2090236395597458,0.16901646554470062]},{"name":"Bombay Pink","target":[0.8500000238418579,0.7300000190734863,0.7400000095367432],"reference":[0.5212758183479309,0.47628480195999146,0.300403356552124],"candidate":[0.5212758183479309,0.47628480195999146,0.300403356552124]},{"name":"Brilliant White","target":[0.9100000262260437,0.9300000071525574,1.0],"reference":[0.580997109413147,0.6176262497901917,0.41307586431503296],"candidate":[0.580997109413147,0.6176262497901917,0.41307586431503296]},{"name":"Burnished Gold","target":[0.6700000166893005,0.6000000238418579,0.33000001311302185],"reference":[0.39805537462234497,0.25330018997192383,0.2682887315750122],"candidate":[0.39805537462234497,0.25330018997192383,0.2682887315750122]},{"name":"Capital Blue","target":[0.10000000149011612,0.25,0.3400000035762787],"reference":[0.21757076680660248,0.2955385446548462,0.14987137913703918],"candidate":[0.21757076680660248,0.2955385446548462,0.14987137913703918]},{"name":"Cerise Red","target":[0.8700000047683716,0.1899999976158142,0.38999998569488525],"reference":[0.3462001085281372,0.26149076223373413,0.01655876636505127],"candidate":[0.3462001085281372,0.26149076223373413,0.01655876636505127]},{"name":"Christina Brown","target":[0.0,0.5600000023841858,0.5799999833106995],"reference":[0.2184619903564453,0.3515443205833435,0.181989386677742],"candidate":[0.2184619903564453,0.3515443205833435,0.181989386677742]},{"name":"Colleen Green","target":[0.9200000166893005,0.9300000071525574,0.8500000238418579],"reference":[0.598131000995636,0.5308869481086731,0.5583376884460449],"candidate":[0.598131000995636,0.5308869481086731,0.5583376884460449]},{"name":"Cosmetic Red","target":[0.6499999761581421,0.3799999952316284,0.4699999988079071],"reference":[0.39377671480178833,0.2579200267791748,0.09869897365570068],"candidate":[0.39377671480178833,0.2579200267791748,0.09869897365570068]},{"name":"Cultured Rose","target":[0.8999999761581421,0.5299999713897705,0.47999998927116394],"reference":[0.4448227882385254,0.27080097794532776,0.24131974577903748],"candidate":[0.4448227882385254,0.27080097794532776,0.24131974577903748]},{"name":"Deep Bronze","target":[0.3199999928474426,0.25,0.18000000715255737],"reference":[0.333961546421051,0.21328264474868774,0.2399066984653473],"candidate":[0.333961546421051,0.21328264474868774,0.2399066984653473]},{"name":"Direct Green","target":[0.25,0.5400000214576721,0.14000000059604645],"reference":[0.24237364530563354,0.22305089235305786,0.24625347554683685],"candidate":[0.24237364530563354,0.22305089235305786,0.24625347554683685]},{"name":"Dusky Pink","target":[0.800000011920929,0.47999998927116394,0.550000011920929],"reference":[0.435565710067749,0.274591326713562,0.09958778321743011],"candidate":[0.435565710067749,0.274591326713562,0.09958778321743011]},{"name":"Electric Yellow","target":[1.0,0.9900000095367432,0.0],"reference":[0.35327577590942383,0.1665724813938141,0.24647076427936554],"candidate":[0.35327577590942383,0.1665724813938141,0.24647076427936554]},{"name":"Exhumed Gold","target":[0.6499999761581421,0.5199999809265137,0.3499999940395355],"reference":[0.41793161630630493,0.21493226289749146,0.2800089120864868],"candidate":[0.41793161630630493,0.21493226289749146,0.2800089120864868]},{"name":"Ferrari Red","target":[1.0,0.1599999964237213,0.0],"reference":[0.1826750636100769,0.3302081823348999,0.22837840020656586],"candidate":[0.1826750636100769,0.3302081823348999,0.22837840020656586]},{"name":"Forever Lilac","target":[0.6899999976158142,0.6499999761581421,0.7799999713897705],"reference":[0.5845765471458435,0.2981736660003662,0.22022098302841187],"candidate":[0.5845765471458435,0.2981736660003662,0.22022098302841187]},{"name":"Funky Yellow","target":[0.9300000071525574,0.8199999928474426,0.4399999976158142],"reference":[0.4562342166900635,0.258228600025177,0.26938703656196594],"candidate":[0.4562342166900635,0.258228600025177,0.26938703656196594]}],"troubles":[],"confusions":[{"name":"Electric Yellow","reference":{"name":"Anthracite Red","distance":0.09833644653445994,"own_distance":1.0756546628791168},"candidate":{"name":"Anthracite Red","distance":0.09833644653445994,"own_distance":1.0756546628791168}},{"name":"Flamazing Pink","reference":{"name":"Bronze Brown","distance":0.10324686045361577,"own_distance":1.0518248694315702},"candidate":{"name":"Bronze Brown","distance":0.10324686045361577,"own_distance":1.0518248694315702}},{"name":"Fuchsia","reference":{"name":"Chalet Green","distance":0.170337641216936,"own_distance":1.0152623971914085},"candidate":{"name":"Chalet Green","distance":0.170337641216936,"own_distance":1.0152623971914085}},{"name":"Blue","reference":{"name":"Direct Green","distance":0.11829899814069682,"own_distance":1.0079827279352949},"candidate":{"name":"Direct Green","distance":0.11829899814069682,"own_distance":1.0079827279352949}},{"name":"Fluorescent Yellow","reference":{"name":"Currant Violet","distance":0.09505350563982443,"own_distance":0.9928170691488716},"candidate":{"name":"Currant Violet","distance":0.09505350563982443,"own_distance":0.9928170691488716}},{"name":"Clematis Magenta","reference":{"name":"Citrine Brown","distance":0.1307196947844103,"own_distance":0.980417606391636},"candidate":{"name":"Citrine Brown","distance":0.1307196947844103,"own_distance":0.980417606391636}},{"name":"Electric Cyan","reference":{"name":"Chalet Green","distance":0.06244607239117908,"own_distance":0.9289980983438648},"candidate":{"name":"Chalet Green","distance":0.06244607239117908,"own_distance":0.9289980983438648}},{"name":"Bright Yellow","reference":{"name":"Calthan Brown","distance":0.03647125923891444,"own_distance":0.921542653279071},"candidate":{"name":"Calthan Brown","distance":0.03647125923891444,"own_distance":0.921542653279071}},{"name":"Amber","reference":{"name":"Deep Bronze","distance":0.066567610666054,"own_distance":0.9176855811761828},"candidate":{"name":"Deep Bronze","distance":0.066567610666054,"own_distance":0.9176855811761828}},{"name":"Aqua Cyan","reference":{"name":"Chalet Green","distance":0.05047138965442764,"own_distance":0.9131292940703363},"candidate":{"name":"Chalet Green","distance":0.05047138965442764,"own_distance":0.9131292940703363}},{"name":"Bright Green","reference":{"name":"Aubergine Mauve","distance":0.04398817348771659,"own_distance":0.9125063709892764},"candidate":{"name":"Aubergine Mauve","distance":0.04398817348771659,"own_distance":0.9125063709892764}},{"name":"Emoji Yellow","reference":{"name":"Deep Bronze","distance":0.07429447030076568,"own_distance":0.9026040352767303},"candidate":{"name":"Deep Bronze","distance":0.07429447030076568,"own_distance":0.9026040352767303}},{"name":"Barbie Pink","reference":{"name":"Brown","distance":0.10107128903951604,"own_distance":0.8962675259966818},"candidate":{"name":"Brown","distance":0.10107128903951604,"own_distance":0.8962675259966818}},{"name":"Azure","reference":{"name":"Direct Green","distance":0.1482603259126373,"own_distance":0.8930708648717001},"candidate":{"name":"Direct Green","distance":0.1482603259126373,"own_distance":0.8930708648717001}},{"name":"Acid Green","reference":{"name":"Aubergine Mauve","distance":0.053578939221435785,"own_distance":0.8894230685791691},"candidate":{"name":"Aubergine Mauve","distance":0.053578939221435785,"own_distance":0.8894230685791691}},{"name":"Cyan","reference":{"name":"Adamite Green","distance":0.06949307671238857,"own_distance":0.8789703219895891},"candidate":{"name":"Adamite Green","distance":0.06949307671238857,"own_distance":0.8789703219895891}},{"name":"Bluish Purple","reference":{"name":"Brown","distance":0.11430506978622747,"own_distance":0.8677502846901264},"candidate":{"name":"Brown","distance":0.11430506978622747,"own_distance":0.8677502846901264}},{"name":"Ferrari Red","reference":{"name":"Darkness Green","distance":0.08716095679737065,"own_distance":0.8655331142578409},"candidate":{"name":"Darkness Green","distance":0.08716095679737065,"own_distance":0.8655331142578409}},{"name":"Faded Yellow","reference":{"name":"Amazon Green","distance":0.07825682693902268,"own_distance":0.8505363379575909},"candidate":{"name":"Amazon Green","distance":0.07825682693902268,"own_distance":0.8505363379575909}},{"name":"Aqua","reference":{"name":"Adamite Green","distance":0.09199400124234836,"own_distance":0.8467402818197328},"candidate":{"name":"Adamite Green","distance":0.09199400124234836,"own_distance":0.8467402818197328}},{"name":"Cathode Green","reference":{"name":"Aubergine Mauve","distance":0.05291466795273963,"own_distance":0.8465010367725712},"candidate":{"name":"Aubergine Mauve","distance":0.05291466795273963,"own_distance":0.8465010367725712}},{"name":"Cyber Lavender","reference":{"name":"Alluring Umber","distance":0.051157343260322015,"own_distance":0.8264616749855235},"candidate":{"name":"Alluring Umber","distance":0.051157343260322015,"own_distance":0.8264616749855235}},{"name":"Energy Yellow","reference":{"name":"Anthracite Red","distance":0.08368378953954596,"own_distance":0.8220381705454345},"candidate":{"name":"Anthracite Red","distance":0.08368378953954596,"own_distance":0.8220381705454345}},{"name":"Foxy Fuchsia","reference":{"name":"Bronze Brown","distance":0.1415798581243561,"own_distance":0.8168481365199767},"candidate":{"name":"Bronze Brown","distance":0.1415798581243561,"own_distance":0.8168481365199767}}]},"checkpoint":null,"performance":{"clock":"perf_counter","order_seed":0,"slices":[],"planned_blocks":{"a_a":8,"sampler":8,"comparison":8},"step_flops":{"reference":10240,"candidate":10240},"matrix_peak_flops_per_s":43922969519.73213,"fill_blocks_per_sm":null,"sampler":{"source":"process","device":"cpu","device_name":null,"device_uuid":null,"absent_reason":null,"wall_s":39.86786591800046,"cpu_s":0.055332022,"reads":158,"gaps":0,"statuses":{"ok":301},"reasons":{},"lost_reason":null},"telemetry":[],"troubles":[],"seconds":39.87953367400041},"memory":{"traces":[{"role":"reference","source":"numpy allocator","steps":8,"baseline_bytes":112017408,"peak_bytes":1985736,"samples":[{"step":-1,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1458176},{"step":0,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1458176},{"step":1,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1458176},{"step":2,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1458176},{"step":3,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1458176},{"step":4,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1458176},{"step":5,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1458176},{"step":6,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1458176},{"step":7,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1458176}],"events":[],"events_cut":false,"context_bytes":null},{"role":"candidate","source":"numpy allocator","steps":8,"baseline_bytes":111796224,"peak_bytes":1985736,"samples":[{"step":-1,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1343488},{"step":0,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1343488},{"step":1,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1343488},{"step":2,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1343488},{"step":3,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1343488},{"step":4,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1343488},{"step":5,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1343488},{"step":6,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1343488},{"step":7,"pool_used_bytes":1985220,"pool_held_bytes":1985220,"device_used_bytes":1343488}],"events":[],"events_cut":false,"context_bytes":null}],"troubles":[],"seconds":12.085968232997402},"troubles":[]}');
CREATE TABLE slices (
	run_id TEXT NOT NULL, 
	session TEXT NOT NULL, 
	block INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	pair INTEGER NOT NULL, 
	role TEXT NOT NULL, 
	steps BIGINT NOT NULL, 
	median_step_ms DOUBLE NOT NULL, 
	mean_step_ms DOUBLE NOT NULL, 
	steps_busy_s DOUBLE NOT NULL, 
	started_s DOUBLE NOT NULL, 
	ended_s DOUBLE NOT NULL, 
	sm_clock_mhz DOUBLE, 
	kernel_resident_pct DOUBLE, 
	thread_cpu_s DOUBLE, 
	activity TEXT NOT NULL, 
	"before" TEXT, 
	"after" TEXT, turns INTEGER DEFAULT '1' NOT NULL, own_s DOUBLE, 
	CONSTRAINT pk_slices PRIMARY KEY (run_id, session, block, position), 
	CONSTRAINT ck_slices_role CHECK (role IN ('reference', 'candidate')), 
	CONSTRAINT fk_slices_runs FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',0,0,0,'candidate',89,2.21289999899454414844e-01,4.22210427193400128498e-01,3.75767280202126130461e-02,16969.25358483,16969.291258263,NULL,NULL,2.15084379999999075749e-02,'{}','{"at_s":16969.253118416,"values":{"process_cpu_s":5.199999999999999,"process_rss_bytes":370032640.0},"missing":{},"foreign_processes":null}','{"at_s":16969.291832558,"values":{"process_cpu_s":5.22,"process_rss_bytes":370077696.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',0,1,0,'reference',89,2.23022001591743901371e-01,0.655453910276469,5.83353980146057438105e-02,16969.296140905,16969.354581488,NULL,NULL,2.24365879999999240368e-02,'{}','{"at_s":16969.292775682,"values":{"process_cpu_s":5.22,"process_rss_bytes":370212864.0},"missing":{},"foreign_processes":null}','{"at_s":16969.360356453,"values":{"process_cpu_s":5.25,"process_rss_bytes":370233344.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',0,2,0,'reference',89,2.45526000071549788117e-01,0.817866730399095,7.27901390055194497108e-02,16969.368302651,16969.441223586,NULL,NULL,2.49371389999999415465e-02,'{"process_rss_bytes":370237440.0}','{"at_s":16969.360919692,"values":{"process_cpu_s":5.25,"process_rss_bytes":370233344.0},"missing":{},"foreign_processes":null}','{"at_s":16969.441736009,"values":{"process_cpu_s":5.27,"process_rss_bytes":370249728.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',0,3,0,'candidate',89,2.21419999434147030115e-01,7.4775768551037624654e-01,6.65504340104234870523e-02,16969.442844334,16969.509493955,NULL,NULL,2.23568089999999219941e-02,'{}','{"at_s":16969.442283814,"values":{"process_cpu_s":5.27,"process_rss_bytes":370249728.0},"missing":{},"foreign_processes":null}','{"at_s":16969.510067523,"values":{"process_cpu_s":5.3,"process_rss_bytes":370257920.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',1,0,0,'reference',89,2.28720000450266525149e-01,0.757418101069091,0.0674102109951491,16969.511431784,16969.578957599,NULL,NULL,2.34848690000000193123e-02,'{}','{"at_s":16969.510815587,"values":{"process_cpu_s":5.3,"process_rss_bytes":370257920.0},"missing":{},"foreign_processes":null}','{"at_s":16969.579443222,"values":{"process_cpu_s":5.32,"process_rss_bytes":370257920.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',1,1,0,'candidate',89,2.24414001422701403498e-01,6.94801876490825809362e-01,0.0618373670076835,16969.584375799,16969.646337543,NULL,NULL,2.44825269999999761694e-02,'{"process_rss_bytes":370257920.0}','{"at_s":16969.580083535,"values":{"process_cpu_s":5.32,"process_rss_bytes":370257920.0},"missing":{},"foreign_processes":null}','{"at_s":16969.648309242,"values":{"process_cpu_s":5.34,"process_rss_bytes":370257920.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',1,2,0,'candidate',89,2.24483999772928655147e-01,7.74658359516885552942e-01,6.89445939970028121024e-02,16969.652396881,16969.721461206,NULL,NULL,2.40899530000000527962e-02,'{}','{"at_s":16969.649028302,"values":{"process_cpu_s":5.34,"process_rss_bytes":370257920.0},"missing":{},"foreign_processes":null}','{"at_s":16969.721957555,"values":{"process_cpu_s":5.38,"process_rss_bytes":370257920.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',1,3,0,'reference',89,2.26386997383087873458e-01,0.810301000006455,0.0721167890005745,16969.760429722,16969.832668101,NULL,NULL,2.42036050000000724224e-02,'{}','{"at_s":16969.757461389,"values":{"process_cpu_s":5.38,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}','{"at_s":16969.834575706,"values":{"process_cpu_s":5.41,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',2,0,0,'candidate',89,2.25285002670716494321e-01,7.28198112565121569161e-01,6.48096320182958152145e-02,16969.844354431,16969.909277282,NULL,NULL,2.36079989999999906302e-02,'{"process_rss_bytes":370339840.0}','{"at_s":16969.840141911,"values":{"process_cpu_s":5.41,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}','{"at_s":16969.910285182,"values":{"process_cpu_s":5.43,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',2,1,0,'reference',89,0.228470002184622,8.132961459554014505e-01,7.23833569900307338684e-02,16969.911778769,16969.984276835,NULL,NULL,2.36715760000001385066e-02,'{}','{"at_s":16969.911098833,"values":{"process_cpu_s":5.43,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}','{"at_s":16969.988251537,"values":{"process_cpu_s":5.449999999999999,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',2,2,0,'reference',89,2.21129001147346571087e-01,6.53813854083902801228e-01,5.81894330134673509746e-02,16969.99242284,16970.050711206,NULL,NULL,2.22842999999999236138e-02,'{}','{"at_s":16969.989027622,"values":{"process_cpu_s":5.449999999999999,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}','{"at_s":16970.056335092,"values":{"process_cpu_s":5.48,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',2,3,0,'candidate',89,2.23072001972468569874e-01,7.9472926963615142526e-01,7.07309049976174719631e-02,16970.064356421,16970.135201036,NULL,NULL,2.34554250000000852338e-02,'{}','{"at_s":16970.056920574,"values":{"process_cpu_s":5.48,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}','{"at_s":16970.135711436,"values":{"process_cpu_s":5.51,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',3,0,0,'reference',89,2.24344003072474151849e-01,8.5794486532516234245e-01,7.63570930139394477009e-02,16970.137217873,16970.213691035,NULL,NULL,2.40602649999999140817e-02,'{"process_rss_bytes":370339840.0}','{"at_s":16970.136529483,"values":{"process_cpu_s":5.51,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}','{"at_s":16970.214175912,"values":{"process_cpu_s":5.529999999999999,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',3,1,0,'candidate',89,2.25135001528542488813e-01,8.23833550589114671502e-01,0.0733211860024312,16970.215450519,16970.288886822,NULL,NULL,2.36298779999999375434e-02,'{}','{"at_s":16970.214709076,"values":{"process_cpu_s":5.529999999999999,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}','{"at_s":16970.289397812,"values":{"process_cpu_s":5.56,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',3,2,0,'candidate',89,2.23852999624796211719e-01,7.9976562912552351392e-01,0.0711791409921716,16970.296349359,16970.367636142,NULL,NULL,2.32525510000001212063e-02,'{}','{"at_s":16970.28990719,"values":{"process_cpu_s":5.56,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}','{"at_s":16970.368122226,"values":{"process_cpu_s":5.58,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',3,3,0,'reference',89,2.28060001973062753677e-01,7.82566438144559506362e-01,0.0696484129948658,16970.369206073,16970.438969679,NULL,NULL,2.40625610000000378363e-02,'{"process_rss_bytes":370339840.0}','{"at_s":16970.368646456,"values":{"process_cpu_s":5.58,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}','{"at_s":16970.439442583,"values":{"process_cpu_s":5.609999999999999,"process_rss_bytes":370339840.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',4,0,0,'candidate',89,2.31925998377846553921e-01,8.14976921349860661258e-01,0.0725329460001376,16970.441003282,16970.513662307,NULL,NULL,2.46385430000000127392e-02,'{}','{"at_s":16970.440304656,"values":{"process_cpu_s":5.609999999999999,"process_rss_bytes":370343936.0},"missing":{},"foreign_processes":null}','{"at_s":16970.514161901,"values":{"process_cpu_s":5.64,"process_rss_bytes":370343936.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',4,1,0,'reference',89,0.22439399981522,8.0547765145219574201e-01,7.168751097924541682e-02,16970.515267962,16970.587074318,NULL,NULL,2.338696099999992839e-02,'{}','{"at_s":16970.514679992,"values":{"process_cpu_s":5.64,"process_rss_bytes":370343936.0},"missing":{},"foreign_processes":null}','{"at_s":16970.587550998,"values":{"process_cpu_s":5.66,"process_rss_bytes":370343936.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',4,2,0,'reference',89,2.27087999519426375627e-01,6.2423583144306338255e-01,5.55569889984326437115e-02,16970.592294999,16970.647963485,NULL,NULL,2.35769429999999058367e-02,'{"process_rss_bytes":370343936.0}','{"at_s":16970.588147816,"values":{"process_cpu_s":5.66,"process_rss_bytes":370343936.0},"missing":{},"foreign_processes":null}','{"at_s":16970.656541102,"values":{"process_cpu_s":5.68,"process_rss_bytes":370343936.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',4,3,0,'candidate',89,2.24464001803426072001e-01,8.04815033712003136123e-01,7.16285380003682803362e-02,16970.65798018,16970.729723773,NULL,NULL,2.33531389999999117179e-02,'{}','{"at_s":16970.657352019,"values":{"process_cpu_s":5.68,"process_rss_bytes":370343936.0},"missing":{},"foreign_processes":null}','{"at_s":16970.730210367,"values":{"process_cpu_s":5.699999999999999,"process_rss_bytes":370348032.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',5,0,0,'reference',89,2.2795900076744146645e-01,8.06766865178851100282e-01,7.18022510009177494794e-02,16970.76506532,16970.836991544,NULL,NULL,2.38678670000000980877e-02,'{}','{"at_s":16970.764247833,"values":{"process_cpu_s":5.71,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}','{"at_s":16970.83747879,"values":{"process_cpu_s":5.739999999999999,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',5,1,0,'candidate',89,2.40678000409388914704e-01,7.99218000169827691436e-01,7.11304020151146687567e-02,16970.840352472,16970.911621699,NULL,NULL,2.55373499999997921605e-02,'{"process_rss_bytes":370376704.0}','{"at_s":16970.838015238,"values":{"process_cpu_s":5.739999999999999,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}','{"at_s":16970.916350823,"values":{"process_cpu_s":5.77,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',5,2,0,'candidate',89,2.44894999923417344689e-01,8.71167157507198086641e-01,7.75338770181406289339e-02,16970.920374687,16970.998044996,NULL,NULL,2.59779860000000084596e-02,'{}','{"at_s":16970.917015592,"values":{"process_cpu_s":5.77,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}','{"at_s":16970.998498201,"values":{"process_cpu_s":5.8,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',5,3,0,'reference',89,2.39175999013241380453e-01,8.22879550857547936715e-01,7.32362800263217650353e-02,16971.00435615,16971.077734876,NULL,NULL,2.53634879999999895971e-02,'{}','{"at_s":16970.999279664,"values":{"process_cpu_s":5.8,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}','{"at_s":16971.084501428,"values":{"process_cpu_s":5.82,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',6,0,0,'candidate',89,3.4929999674204736948e-01,8.43484752570812568173e-01,7.50701429788023233413e-02,16971.089238568,16971.164493418,NULL,NULL,3.17968159999999500087e-02,'{"process_rss_bytes":370376704.0}','{"at_s":16971.088176287,"values":{"process_cpu_s":5.83,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}','{"at_s":16971.168388805,"values":{"process_cpu_s":5.859999999999999,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',6,1,0,'reference',89,2.20567999349441379308e-01,4.71752359557326528261e-01,4.19859600006020627915e-02,16971.169644925,16971.211731807,NULL,NULL,2.20457350000000662504e-02,'{}','{"at_s":16971.16890271,"values":{"process_cpu_s":5.859999999999999,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}','{"at_s":16971.212251761,"values":{"process_cpu_s":5.890000000000001,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',6,2,0,'reference',89,2.29581997700734063982e-01,7.19503157311367713688e-01,6.40357810007117222994e-02,16971.220463593,16971.284618191,NULL,NULL,2.4074978000000024636e-02,'{}','{"at_s":16971.212823642,"values":{"process_cpu_s":5.890000000000001,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}','{"at_s":16971.285111826,"values":{"process_cpu_s":5.91,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',6,3,0,'candidate',89,2.30824000027496367692e-01,7.25419494209633253234e-01,6.45623349846573546528e-02,16971.286316699,16971.351014846,NULL,NULL,2.42971820000001947903e-02,'{}','{"at_s":16971.285709936,"values":{"process_cpu_s":5.91,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}','{"at_s":16971.356387763,"values":{"process_cpu_s":5.93,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',7,0,0,'reference',89,3.48238001606659963726e-01,0.990837865235713,8.81845700059784576296e-02,16971.360364422,16971.448723911,NULL,NULL,3.22890229999999167631e-02,'{"process_rss_bytes":370376704.0}','{"at_s":16971.357202205,"values":{"process_cpu_s":5.93,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}','{"at_s":16971.449222918,"values":{"process_cpu_s":5.96,"process_rss_bytes":370376704.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',7,1,0,'candidate',89,2.24082999920938163995e-01,7.23295247154781217879e-01,6.43732769967755302786e-02,16971.4503658,16971.514860393,NULL,NULL,2.4280366000000164206e-02,'{}','{"at_s":16971.449759347,"values":{"process_cpu_s":5.96,"process_rss_bytes":370380800.0},"missing":{},"foreign_processes":null}','{"at_s":16971.515394118,"values":{"process_cpu_s":5.99,"process_rss_bytes":370380800.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',7,2,0,'candidate',89,2.39086002693511545658e-01,1.0338888540890152079e+00,9.20161080139223486185e-02,16971.521103686,16971.613270977,NULL,NULL,2.81284809999999829699e-02,'{}','{"at_s":16971.520120883,"values":{"process_cpu_s":5.99,"process_rss_bytes":370380800.0},"missing":{},"foreign_processes":null}','{"at_s":16971.613751653,"values":{"process_cpu_s":6.02,"process_rss_bytes":370380800.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','a_a',7,3,0,'reference',89,2.32365997362649068236e-01,8.71996179627244183407e-01,7.76076599868247285485e-02,16971.616429624,16971.694159787,NULL,NULL,2.44229520000001087964e-02,'{"process_rss_bytes":370384896.0}','{"at_s":16971.614325637,"values":{"process_cpu_s":6.02,"process_rss_bytes":370384896.0},"missing":{},"foreign_processes":null}','{"at_s":16971.696320218,"values":{"process_cpu_s":6.0600000000000005,"process_rss_bytes":370384896.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',0,0,0,'candidate',91,2.22079997911350801587e-01,6.88151791109703481197e-01,6.26218129909830167889e-02,16982.276234984,16982.338962027,NULL,NULL,2.26777490000000803149e-02,'{}','{"at_s":16982.272380097,"values":{"process_cpu_s":5.709999999999999,"process_rss_bytes":404037632.0},"missing":{},"foreign_processes":null}','{"at_s":16982.339530703,"values":{"process_cpu_s":5.7299999999999995,"process_rss_bytes":404058112.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',0,1,0,'reference',91,2.24733998038573190569e-01,6.87142417498782354101e-01,0.0625299599923892,16982.344582623,16982.407217138,NULL,NULL,2.28543669999998755315e-02,'{}','{"at_s":16982.344085753,"values":{"process_cpu_s":5.7299999999999995,"process_rss_bytes":404062208.0},"missing":{},"foreign_processes":null}','{"at_s":16982.407752344,"values":{"process_cpu_s":5.75,"process_rss_bytes":404086784.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',0,2,0,'reference',91,2.22601000132272019982e-01,6.89067022144477236977e-01,6.27050990151474252343e-02,16982.412407403,16982.475218471,NULL,NULL,2.27708259999999107492e-02,'{}','{"at_s":16982.408318227,"values":{"process_cpu_s":5.75,"process_rss_bytes":404086784.0},"missing":{},"foreign_processes":null}','{"at_s":16982.480340915,"values":{"process_cpu_s":5.779999999999999,"process_rss_bytes":404090880.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',0,3,0,'candidate',91,2.26066000323044136166e-01,7.19396132058886195181e-01,6.54650480173586402088e-02,16982.481616183,16982.547192507,NULL,NULL,2.37616089999999058335e-02,'{"process_rss_bytes":404090880.0}','{"at_s":16982.480879346,"values":{"process_cpu_s":5.779999999999999,"process_rss_bytes":404090880.0},"missing":{},"foreign_processes":null}','{"at_s":16982.54773246,"values":{"process_cpu_s":5.799999999999999,"process_rss_bytes":404094976.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',1,0,0,'reference',91,2.26447002205532044172e-01,0.691223648243397,6.29013519901491235941e-02,16982.552830408,16982.615833111,NULL,NULL,2.30037219999998931996e-02,'{}','{"at_s":16982.552108614,"values":{"process_cpu_s":5.799999999999999,"process_rss_bytes":404094976.0},"missing":{},"foreign_processes":null}','{"at_s":16982.624436477,"values":{"process_cpu_s":5.83,"process_rss_bytes":404094976.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',1,1,0,'candidate',91,2.25146002776455134153e-01,7.47189868019591862946e-01,6.79942779897828586399e-02,16982.625555001,16982.69366726,NULL,NULL,2.40702889999999669612e-02,'{}','{"at_s":16982.625003971,"values":{"process_cpu_s":5.83,"process_rss_bytes":404094976.0},"missing":{},"foreign_processes":null}','{"at_s":16982.694133313,"values":{"process_cpu_s":5.859999999999999,"process_rss_bytes":404094976.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',1,2,0,'candidate',91,2.24624000111361965537e-01,8.0176409875883225542e-01,7.29605329870537389069e-02,16982.716408608,16982.789492045,NULL,NULL,2.50947009999999970375e-02,'{"process_rss_bytes":404099072.0}','{"at_s":16982.714448775,"values":{"process_cpu_s":5.87,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}','{"at_s":16982.79002333,"values":{"process_cpu_s":5.890000000000001,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',1,3,0,'reference',91,2.22550999751547351479e-01,5.54897230728414236899e-01,0.0504956479962857,16982.792415406,16982.843007688,NULL,NULL,2.21566220000000146939e-02,'{}','{"at_s":16982.790787768,"values":{"process_cpu_s":5.890000000000001,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}','{"at_s":16982.848339668,"values":{"process_cpu_s":5.91,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',2,0,0,'candidate',91,2.23252001887885853648e-01,6.66019615452099533747e-01,6.06077850061410572379e-02,16982.852748946,16982.913457345,NULL,NULL,2.24963019999999680464e-02,'{}','{"at_s":16982.849052189,"values":{"process_cpu_s":5.91,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}','{"at_s":16982.913943333,"values":{"process_cpu_s":5.9399999999999995,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',2,1,0,'reference',91,2.23541999730514362454e-01,7.31822527626178831461e-01,6.65958500139822717756e-02,16982.915352776,16982.982046132,NULL,NULL,2.26575350000000064198e-02,'{}','{"at_s":16982.914450878,"values":{"process_cpu_s":5.9399999999999995,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}','{"at_s":16982.984343126,"values":{"process_cpu_s":5.959999999999999,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',2,2,0,'reference',91,2.21459002204937860369e-01,6.8527378019867823955e-01,6.23599139980797190219e-02,16982.992300565,16983.054759439,NULL,NULL,2.24528920000000020706e-02,'{}','{"at_s":16982.984863009,"values":{"process_cpu_s":5.969999999999999,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}','{"at_s":16983.055288631,"values":{"process_cpu_s":6.0,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',2,3,0,'candidate',91,2.2193000040715560317e-01,9.06584000104275866682e-01,0.0824991440094891,16983.056483034,16983.139092544,NULL,NULL,2.35079299999998436732e-02,'{"process_rss_bytes":404099072.0}','{"at_s":16983.055851178,"values":{"process_cpu_s":6.0,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}','{"at_s":16983.139592418,"values":{"process_cpu_s":6.02,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',3,0,0,'reference',91,2.2123899907455779612e-01,6.8548587900055524269e-01,6.23792149890505243092e-02,16983.144334261,16983.206822789,NULL,NULL,2.24670309999999151528e-02,'{}','{"at_s":16983.140336676,"values":{"process_cpu_s":6.02,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}','{"at_s":16983.207312743,"values":{"process_cpu_s":6.04,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',3,1,0,'candidate',91,2.25194999075029045343e-01,7.62264087945248469679e-01,6.93660320030176080763e-02,16983.208635372,16983.278109507,NULL,NULL,2.33495150000000428747e-02,'{}','{"at_s":16983.207863423,"values":{"process_cpu_s":6.04,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}','{"at_s":16983.278599967,"values":{"process_cpu_s":6.0600000000000005,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',3,2,0,'candidate',91,2.32106001931242644786e-01,7.96291043965598799303e-01,7.24624850008694920688e-02,16983.280114932,16983.352703242,NULL,NULL,2.50152049999998737916e-02,'{"process_rss_bytes":404099072.0}','{"at_s":16983.279397184,"values":{"process_cpu_s":6.0600000000000005,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}','{"at_s":16983.353209676,"values":{"process_cpu_s":6.09,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',3,3,0,'reference',91,2.21248999878298491239e-01,8.61885835047859871771e-01,7.84316109893552493304e-02,16983.356324447,16983.434865607,NULL,NULL,2.25055100000000063431e-02,'{}','{"at_s":16983.354038189,"values":{"process_cpu_s":6.09,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}','{"at_s":16983.435379577,"values":{"process_cpu_s":6.109999999999999,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',4,0,0,'candidate',91,2.2610599990002810955e-01,8.38423307988585442274e-01,7.62965210269612725824e-02,16983.448332026,16983.524747272,NULL,NULL,2.44191620000000497725e-02,'{}','{"at_s":16983.440109888,"values":{"process_cpu_s":6.109999999999999,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}','{"at_s":16983.525302168,"values":{"process_cpu_s":6.13,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',4,1,0,'reference',91,2.25354997382964938879e-01,7.66818252776539588388e-01,0.0697804610026651,16983.53234181,16983.602235691,NULL,NULL,2.39172990000000584842e-02,'{}','{"at_s":16983.526260985,"values":{"process_cpu_s":6.13,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}','{"at_s":16983.604371314,"values":{"process_cpu_s":6.16,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',4,2,0,'reference',91,3.94157003029249608516e-01,1.23819067060709464556e+00,1.12675351025245618075e-01,16983.605626488,16983.718475753,NULL,NULL,3.85444260000000760157e-02,'{}','{"at_s":16983.604994672,"values":{"process_cpu_s":6.16,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}','{"at_s":16983.718998946,"values":{"process_cpu_s":6.19,"process_rss_bytes":404099072.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',4,3,0,'candidate',91,3.20516999636311084032e-01,6.75016714232477443857e-01,6.1426520995155442506e-02,16983.761444642,16983.823006646,NULL,NULL,0.029533115,'{}','{"at_s":16983.760289903,"values":{"process_cpu_s":6.2,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}','{"at_s":16983.823545803,"values":{"process_cpu_s":6.2299999999999995,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',5,0,0,'reference',91,3.22148996929172426462e-01,9.81576010987167735244e-01,8.93234169998322613537e-02,16983.825034084,16983.914530771,NULL,NULL,3.22525220000000611975e-02,'{}','{"at_s":16983.824326115,"values":{"process_cpu_s":6.2299999999999995,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}','{"at_s":16983.915065541,"values":{"process_cpu_s":6.27,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',5,1,0,'candidate',91,3.0415299988817423582e-01,1.09918681350741320734e+00,1.00026000029174610972e-01,16983.920487827,16984.020658275,NULL,NULL,2.99822139999998960036e-02,'{"process_rss_bytes":404103168.0}','{"at_s":16983.915644253,"values":{"process_cpu_s":6.27,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}','{"at_s":16984.021130809,"values":{"process_cpu_s":6.3,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',5,2,0,'candidate',91,2.31564001296646893024e-01,7.89553648176549272008e-01,7.1849381984065985307e-02,16984.022318907,16984.094288386,NULL,NULL,2.39584219999999792349e-02,'{}','{"at_s":16984.021583632,"values":{"process_cpu_s":6.3,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}','{"at_s":16984.094856147,"values":{"process_cpu_s":6.33,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',5,3,0,'reference',91,2.46577001234982162714e-01,7.67605230786292613842e-01,6.98520760015526320785e-02,16984.104394944,16984.174382168,NULL,NULL,2.67042870000000487351e-02,'{}','{"at_s":16984.095536499,"values":{"process_cpu_s":6.33,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}','{"at_s":16984.17497147,"values":{"process_cpu_s":6.36,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',6,0,0,'candidate',91,2.30953999562188982963e-01,5.7815965951854042526e-01,5.26125290161871816962e-02,16984.180676927,16984.23749864,NULL,NULL,2.48019999999999907203e-02,'{}','{"at_s":16984.175698112,"values":{"process_cpu_s":6.36,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}','{"at_s":16984.238015074,"values":{"process_cpu_s":6.390000000000001,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',6,1,0,'reference',91,2.31996000366052612662e-01,9.3646645081417567713e-01,8.52184470240899827331e-02,16984.239199281,16984.324659576,NULL,NULL,2.73187529999998623964e-02,'{}','{"at_s":16984.23856344,"values":{"process_cpu_s":6.390000000000001,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}','{"at_s":16984.325105459,"values":{"process_cpu_s":6.42,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',6,2,0,'reference',91,2.2446499860961921513e-01,5.67430252536164192456e-01,5.1636152980790939182e-02,16984.3261474,16984.377878577,NULL,NULL,0.0226852609999999,'{}','{"at_s":16984.325627676,"values":{"process_cpu_s":6.43,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}','{"at_s":16984.378332903,"values":{"process_cpu_s":6.460000000000001,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',6,3,0,'candidate',91,2.2295099915936589241e-01,7.75553340645274147391e-01,7.05753539987199474126e-02,16984.380353785,16984.451027761,NULL,NULL,2.26191390000001213422e-02,'{}','{"at_s":16984.378900147,"values":{"process_cpu_s":6.460000000000001,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}','{"at_s":16984.451515928,"values":{"process_cpu_s":6.48,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',7,0,0,'reference',91,2.24052997509716078639e-01,6.89077857284676187354e-01,6.27060850129055324941e-02,16984.452836995,16984.515647361,NULL,NULL,2.27630329999999325707e-02,'{}','{"at_s":16984.452250622,"values":{"process_cpu_s":6.48,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}','{"at_s":16984.516142829,"values":{"process_cpu_s":6.5,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',7,1,0,'candidate',91,2.20908001210773363709e-01,7.28729868049932894003e-01,0.0663144179925439,16984.52056513,16984.58697882,NULL,NULL,2.23470070000002518639e-02,'{}','{"at_s":16984.516744304,"values":{"process_cpu_s":6.5,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}','{"at_s":16984.592333541,"values":{"process_cpu_s":6.53,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',7,2,0,'candidate',91,0.220998001168482,0.690694934027116,6.28532389964675530791e-02,16984.596567282,16984.659528614,NULL,NULL,2.29050029999999793517e-02,'{"process_rss_bytes":404103168.0}','{"at_s":16984.592886274,"values":{"process_cpu_s":6.53,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}','{"at_s":16984.659977412,"values":{"process_cpu_s":6.55,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','sampler',7,3,0,'reference',91,2.29831999604357406497e-01,7.59776417808197823688e-01,0.069139654020546,16984.661356174,16984.730620036,NULL,NULL,2.52304850000000246978e-02,'{}','{"at_s":16984.660595772,"values":{"process_cpu_s":6.55,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}','{"at_s":16984.731167081,"values":{"process_cpu_s":6.569999999999999,"process_rss_bytes":404103168.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',0,0,0,'candidate',91,2.33347000175854191184e-01,8.01377549478374806568e-01,7.29253570025321096181e-02,16993.172169968,16993.245217482,NULL,NULL,0.0243320090000001,'{}','{"at_s":16993.16439789,"values":{"process_cpu_s":5.73,"process_rss_bytes":404414464.0},"missing":{},"foreign_processes":null}','{"at_s":16993.252413242,"values":{"process_cpu_s":5.76,"process_rss_bytes":404459520.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',0,1,0,'reference',91,2.21018999582156538963e-01,8.18933494324133204322e-01,7.45229479834961239248e-02,16993.253283468,16993.327906066,NULL,NULL,2.25775770000000708392e-02,'{}','{"at_s":16993.252963121,"values":{"process_cpu_s":5.76,"process_rss_bytes":404459520.0},"missing":{},"foreign_processes":null}','{"at_s":16993.340347494,"values":{"process_cpu_s":5.779999999999999,"process_rss_bytes":404484096.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',0,2,0,'reference',91,2.20558002183679491281e-01,6.38101835407964057544e-01,5.80672670221247244626e-02,16993.357140939,16993.415308916,NULL,NULL,2.20659750000000709491e-02,'{"process_rss_bytes":404484096.0}','{"at_s":16993.356260619,"values":{"process_cpu_s":5.789999999999999,"process_rss_bytes":404484096.0},"missing":{},"foreign_processes":null}','{"at_s":16993.415830002,"values":{"process_cpu_s":5.82,"process_rss_bytes":404492288.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',0,3,0,'candidate',91,2.29792000027373433113e-01,7.32509263728458703823e-01,6.66583429992897436022e-02,16993.420412652,16993.487182442,NULL,NULL,2.36265890000000311488e-02,'{}','{"at_s":16993.41675596,"values":{"process_cpu_s":5.82,"process_rss_bytes":404492288.0},"missing":{},"foreign_processes":null}','{"at_s":16993.496360433,"values":{"process_cpu_s":5.84,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',1,0,0,'reference',91,2.24153998715337365865e-01,7.34408604570249923249e-01,6.68311830158927477896e-02,16993.498070098,16993.565014037,NULL,NULL,2.35902529999998389342e-02,'{}','{"at_s":16993.497208125,"values":{"process_cpu_s":5.84,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}','{"at_s":16993.565478538,"values":{"process_cpu_s":5.86,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',1,1,0,'candidate',91,2.29632001719437539577e-01,0.745116989392145,0.0678056460346852,16993.566863159,16993.634783111,NULL,NULL,2.37848550000001601745e-02,'{"process_rss_bytes":404500480.0}','{"at_s":16993.566014726,"values":{"process_cpu_s":5.86,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}','{"at_s":16993.635267402,"values":{"process_cpu_s":5.880000000000001,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',1,2,0,'candidate',91,2.28360000619431957602e-01,7.31819000026047383755e-01,6.65955290023703128099e-02,16993.640473601,16993.707180327,NULL,NULL,2.33073019999998631845e-02,'{}','{"at_s":16993.636090387,"values":{"process_cpu_s":5.880000000000001,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}','{"at_s":16993.707713671,"values":{"process_cpu_s":5.91,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',1,3,0,'reference',91,2.21569000132149085402e-01,6.8715840641563952218e-01,0.0625314149838232,16993.710450875,16993.773086451,NULL,NULL,2.2697114999999934426e-02,'{}','{"at_s":16993.709778875,"values":{"process_cpu_s":5.91,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}','{"at_s":16993.77357571,"values":{"process_cpu_s":5.9399999999999995,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',2,0,0,'candidate',91,2.28270000661723315715e-01,7.2149863750622655889e-01,6.56563760130666196346e-02,16993.776903292,16993.842679714,NULL,NULL,2.37696110000000793149e-02,'{}','{"at_s":16993.776159515,"values":{"process_cpu_s":5.9399999999999995,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}','{"at_s":16993.848372076,"values":{"process_cpu_s":5.96,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',2,1,0,'reference',91,2.23752998863346874713e-01,7.15120384584124746396e-01,6.50759549971553497016e-02,16993.849817037,16993.915007486,NULL,NULL,2.32301369999998730264e-02,'{"process_rss_bytes":404500480.0}','{"at_s":16993.848944739,"values":{"process_cpu_s":5.96,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}','{"at_s":16993.915520069,"values":{"process_cpu_s":5.99,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',2,2,0,'reference',91,2.19517001823987811803e-01,6.86759285959491871942e-01,6.24950950223137624561e-02,16993.924542839,16993.987140559,NULL,NULL,2.24300070000000850711e-02,'{}','{"at_s":16993.916150337,"values":{"process_cpu_s":5.99,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}','{"at_s":16993.992384775,"values":{"process_cpu_s":6.01,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',2,3,0,'candidate',91,2.28610999329248443245e-01,6.49783714254806299415e-01,5.91303179971873760223e-02,16993.996491757,16994.055733002,NULL,NULL,2.31812369999999656755e-02,'{}','{"at_s":16993.992969335,"values":{"process_cpu_s":6.01,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}','{"at_s":16994.060352418,"values":{"process_cpu_s":6.039999999999999,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',3,0,0,'reference',91,2.23441998969065025448e-01,6.65074703227639063563e-01,6.0521797993715154007e-02,16994.061799952,16994.122429403,NULL,NULL,2.32573990000000119238e-02,'{}','{"at_s":16994.06112672,"values":{"process_cpu_s":6.039999999999999,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}','{"at_s":16994.122903138,"values":{"process_cpu_s":6.0600000000000005,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',3,1,0,'candidate',91,2.25725998461712151765e-01,7.25950044188021559321e-01,6.60614540211099665611e-02,16994.124464672,16994.190670473,NULL,NULL,2.35710660000001404057e-02,'{"process_rss_bytes":404500480.0}','{"at_s":16994.123807975,"values":{"process_cpu_s":6.0600000000000005,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}','{"at_s":16994.200357972,"values":{"process_cpu_s":6.08,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',3,2,0,'candidate',91,2.29110999498516321182e-01,8.19026208733743210643e-01,7.45313849947706330567e-02,16994.20168752,16994.276331761,NULL,NULL,2.40301990000000298408e-02,'{}','{"at_s":16994.200896663,"values":{"process_cpu_s":6.08,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}','{"at_s":16994.276888479,"values":{"process_cpu_s":6.1,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',3,3,0,'reference',91,2.22982002014759927988e-01,6.28135769247719633057e-01,5.71603550015424843877e-02,16994.278221343,16994.335483532,NULL,NULL,2.26427550000001254204e-02,'{}','{"at_s":16994.277427772,"values":{"process_cpu_s":6.109999999999999,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}','{"at_s":16994.340343386,"values":{"process_cpu_s":6.140000000000001,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',4,0,0,'candidate',91,0.230151999858208,7.80300714413297735738e-01,7.10073650116100907325e-02,16994.380233037,16994.451353913,NULL,NULL,2.37444530000001652325e-02,'{}','{"at_s":16994.379450372,"values":{"process_cpu_s":6.140000000000001,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}','{"at_s":16994.451806908,"values":{"process_cpu_s":6.17,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',4,1,0,'reference',91,2.19487003050744533538e-01,6.87786956125189807842e-01,6.25886130073922686278e-02,16994.453188043,16994.515886694,NULL,NULL,2.27051679999998867742e-02,'{}','{"at_s":16994.452415063,"values":{"process_cpu_s":6.17,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}','{"at_s":16994.520501473,"values":{"process_cpu_s":6.19,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',4,2,0,'reference',91,2.21280002733692526817e-01,7.04744340799771884498e-01,6.4131735012779245153e-02,16994.521864511,16994.58609365,NULL,NULL,2.26514970000000204208e-02,'{}','{"at_s":16994.52127229,"values":{"process_cpu_s":6.19,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}','{"at_s":16994.588325181,"values":{"process_cpu_s":6.21,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',4,3,0,'candidate',91,2.2686800002702511847e-01,7.83053329711777434951e-01,7.12578530037717428058e-02,16994.589584756,16994.660950897,NULL,NULL,2.32652410000000475776e-02,'{"process_rss_bytes":404500480.0}','{"at_s":16994.588840288,"values":{"process_cpu_s":6.22,"process_rss_bytes":404500480.0},"missing":{},"foreign_processes":null}','{"at_s":16994.664363116,"values":{"process_cpu_s":6.24,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',5,0,0,'reference',91,2.21058999159140512347e-01,7.44055549268403559892e-01,6.77090549834247212857e-02,16994.665676671,16994.73349377,NULL,NULL,2.31552750000001417163e-02,'{}','{"at_s":16994.66507157,"values":{"process_cpu_s":6.24,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}','{"at_s":16994.733954295,"values":{"process_cpu_s":6.27,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',5,1,0,'candidate',91,2.26476997340796515345e-01,7.36835527257446276649e-01,6.70520329804276116192e-02,16994.735270004,16994.802428032,NULL,NULL,2.30974600000000140909e-02,'{}','{"at_s":16994.734695769,"values":{"process_cpu_s":6.27,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}','{"at_s":16994.802898442,"values":{"process_cpu_s":6.3,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',5,2,0,'candidate',91,2.31885001994669437408e-01,7.59199637456561715609e-01,6.90871670085471123456e-02,16994.808443505,16994.877644734,NULL,NULL,2.40198640000000018801e-02,'{}','{"at_s":16994.803440198,"values":{"process_cpu_s":6.31,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}','{"at_s":16994.878125489,"values":{"process_cpu_s":6.33,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',5,3,0,'reference',91,2.19746998482150956988e-01,0.725248439306557,6.5997607976896688342e-02,16994.879259087,16994.945356416,NULL,NULL,2.26380790000000331474e-02,'{"process_rss_bytes":404504576.0}','{"at_s":16994.87867695,"values":{"process_cpu_s":6.33,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}','{"at_s":16994.945815489,"values":{"process_cpu_s":6.3500000000000005,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',6,0,0,'candidate',91,2.28330001846188679337e-01,7.41131571255839172174e-01,6.74429729842813685536e-02,16994.947112379,16995.014663613,NULL,NULL,2.35362729999999409358e-02,'{}','{"at_s":16994.946566868,"values":{"process_cpu_s":6.3500000000000005,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}','{"at_s":16995.015142525,"values":{"process_cpu_s":6.380000000000001,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',6,1,0,'reference',91,2.19587000174215063452e-01,6.38561681526070845649e-01,5.81091130188724491745e-02,16995.016571322,16995.074781502,NULL,NULL,2.24813470000000403814e-02,'{}','{"at_s":16995.015687206,"values":{"process_cpu_s":6.380000000000001,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}','{"at_s":16995.075866968,"values":{"process_cpu_s":6.4,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',6,2,0,'reference',91,2.23833001655293628573e-01,6.87994241721193833249e-01,6.26074759966286364942e-02,16995.084453107,16995.14716681,NULL,NULL,2.27225339999999054185e-02,'{"process_rss_bytes":404504576.0}','{"at_s":16995.076798935,"values":{"process_cpu_s":6.4,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}','{"at_s":16995.152350946,"values":{"process_cpu_s":6.43,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',6,3,0,'candidate',91,2.32485999731579795479e-01,7.14672648417955302946e-01,6.50352110060339327901e-02,16995.153438755,16995.218588153,NULL,NULL,2.50609539999999686443e-02,'{}','{"at_s":16995.152905051,"values":{"process_cpu_s":6.43,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}','{"at_s":16995.219606729,"values":{"process_cpu_s":6.45,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',7,0,0,'reference',91,2.22250000661006197333e-01,6.85045956133463085357e-01,6.23391820081451442092e-02,16995.22115898,16995.283596111,NULL,NULL,2.28052510000000818735e-02,'{}','{"at_s":16995.220575301,"values":{"process_cpu_s":6.45,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}','{"at_s":16995.288308815,"values":{"process_cpu_s":6.47,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',7,1,0,'candidate',91,2.2905099831405095756e-01,7.98287164918172642558e-01,7.26441320075537078082e-02,16995.292401286,16995.36515978,NULL,NULL,2.43574060000000258696e-02,'{}','{"at_s":16995.288811283,"values":{"process_cpu_s":6.47,"process_rss_bytes":404504576.0},"missing":{},"foreign_processes":null}','{"at_s":16995.365607997,"values":{"process_cpu_s":6.5,"process_rss_bytes":404508672.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',7,2,0,'candidate',91,2.27688997256336733698e-01,7.22869593428785539579e-01,6.57811330020194873213e-02,16995.397038879,16995.462921559,NULL,NULL,2.34495130000000884251e-02,'{}','{"at_s":16995.396222429,"values":{"process_cpu_s":6.51,"process_rss_bytes":404508672.0},"missing":{},"foreign_processes":null}','{"at_s":16995.46832438,"values":{"process_cpu_s":6.529999999999999,"process_rss_bytes":404508672.0},"missing":{},"foreign_processes":null}',1,NULL);
INSERT INTO "slices" VALUES('01m883ncbw0d3v3ws6m5q2wez1','comparison',7,3,0,'reference',91,2.21059002797119319438e-01,7.29619615482918648652e-01,0.0663953850089456,16995.472410823,16995.538901347,NULL,NULL,2.23902099999999659729e-02,'{}','{"at_s":16995.468849502,"values":{"process_cpu_s":6.529999999999999,"process_rss_bytes":404508672.0},"missing":{},"foreign_processes":null}','{"at_s":16995.544309797,"values":{"process_cpu_s":6.55,"process_rss_bytes":404508672.0},"missing":{},"foreign_processes":null}',1,NULL);
CREATE TABLE steps (
	run_id TEXT NOT NULL, 
	phase TEXT NOT NULL, 
	step BIGINT NOT NULL, 
	reference_loss DOUBLE, 
	candidate_loss DOUBLE, 
	CONSTRAINT pk_steps PRIMARY KEY (run_id, phase, step), 
	CONSTRAINT fk_steps_runs FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "steps" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',0,2.0772653818130493164e-01,2.0772653818130493164e-01);
INSERT INTO "steps" VALUES('01m883ncbw0d3v3ws6m5q2wez1','synchronized',2,2.29170694947242736816e-01,2.29170694947242736816e-01);
INSERT INTO "steps" VALUES('01m883ncbw0d3v3ws6m5q2wez1','free_running',0,3.47694545984268188476e-01,3.47694545984268188476e-01);
INSERT INTO "steps" VALUES('01m883ncbw0d3v3ws6m5q2wez1','free_running',1,2.38954871892929077148e-01,2.38954871892929077148e-01);
INSERT INTO "steps" VALUES('01m883ncbw0d3v3ws6m5q2wez1','free_running',2,2.106266021728515625e-01,2.106266021728515625e-01);
INSERT INTO "steps" VALUES('01m883ncbw0d3v3ws6m5q2wez1','free_running',3,2.08700150251388549804e-01,2.08700150251388549804e-01);
INSERT INTO "steps" VALUES('01m883ncbw0d3v3ws6m5q2wez1','free_running',4,2.05453261733055114746e-01,2.05453261733055114746e-01);
INSERT INTO "steps" VALUES('01m883ncbw0d3v3ws6m5q2wez1','free_running',5,1.6704279184341430664e-01,1.6704279184341430664e-01);
INSERT INTO "steps" VALUES('01m883ncbw0d3v3ws6m5q2wez1','free_running',6,1.37398958206176757812e-01,1.37398958206176757812e-01);
INSERT INTO "steps" VALUES('01m883ncbw0d3v3ws6m5q2wez1','free_running',7,9.94887202978134155273e-02,9.94887202978134155273e-02);
INSERT INTO "steps" VALUES('01m883ncbw0d3v3ws6m5q2wez1','free_running',8,1.33341133594512939453e-01,1.33341133594512939453e-01);
INSERT INTO "steps" VALUES('01m883ncbw0d3v3ws6m5q2wez1','free_running',9,1.31378754973411560058e-01,1.31378754973411560058e-01);
INSERT INTO "steps" VALUES('01m883ncbw0d3v3ws6m5q2wez1','free_running',10,8.70916694402694702148e-02,8.70916694402694702148e-02);
INSERT INTO "steps" VALUES('01m883ncbw0d3v3ws6m5q2wez1','free_running',11,8.65041017532348632812e-02,8.65041017532348632812e-02);
CREATE TABLE telemetry (
	run_id TEXT NOT NULL, 
	at_s DOUBLE NOT NULL, 
	field TEXT NOT NULL, 
	value DOUBLE, 
	status TEXT NOT NULL, 
	CONSTRAINT pk_telemetry PRIMARY KEY (run_id, at_s, field), 
	CONSTRAINT fk_telemetry_runs FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16955.893195782,'process_rss_bytes',143409152.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16956.150718017,'process_rss_bytes',143491072.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16956.150718017,'process_cpu_pct',3.88315983662804820042e+00,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16956.416090727,'process_rss_bytes',143495168.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16956.416090727,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16956.648096605,'process_rss_bytes',143499264.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16956.648096605,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16956.892689366,'process_rss_bytes',143499264.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16956.892689366,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16957.148086669,'process_rss_bytes',143507456.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16957.148086669,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16957.39609205,'process_rss_bytes',143507456.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16957.39609205,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16957.648101039,'process_rss_bytes',143507456.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16957.648101039,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16957.900107265,'process_rss_bytes',143507456.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16957.900107265,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16958.152105188,'process_rss_bytes',143511552.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16958.152105188,'process_cpu_pct',3.9682866750946423906e+00,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16958.396082023,'process_rss_bytes',143511552.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16958.396082023,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16958.642691406,'process_rss_bytes',143511552.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16958.642691406,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16958.896760412,'process_rss_bytes',143511552.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16958.896760412,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16959.148082128,'process_rss_bytes',143515648.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16959.148082128,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16959.396085536,'process_rss_bytes',143515648.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16959.396085536,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16959.642696111,'process_rss_bytes',143515648.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16959.642696111,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16959.896107448,'process_rss_bytes',143515648.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16959.896107448,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16960.142701859,'process_rss_bytes',143519744.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16960.142701859,'process_cpu_pct',4.05524194948840666086e+00,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16960.392690301,'process_rss_bytes',143519744.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16960.392690301,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16960.66009151,'process_rss_bytes',143609856.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16960.66009151,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16960.904097168,'process_rss_bytes',143609856.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16960.904097168,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16961.142699583,'process_rss_bytes',143609856.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16961.142699583,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16961.404096616,'process_rss_bytes',143613952.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16961.404096616,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16961.642691671,'process_rss_bytes',143613952.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16961.642691671,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16961.908097,'process_rss_bytes',143613952.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16961.908097,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16962.156092115,'process_rss_bytes',143613952.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16962.156092115,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16962.41210253,'process_rss_bytes',143622144.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16962.41210253,'process_cpu_pct',3.90609108618070077767e+00,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16962.652084229,'process_rss_bytes',143622144.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16962.652084229,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16962.907240232,'process_rss_bytes',143622144.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16962.907240232,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16963.156085338,'process_rss_bytes',143622144.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16963.156085338,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16963.40812262,'process_rss_bytes',143622144.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16963.40812262,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16963.676121929,'process_rss_bytes',143622144.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16963.676121929,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16963.896101406,'process_rss_bytes',143622144.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16963.896101406,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16964.152114225,'process_rss_bytes',143630336.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16964.152114225,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16964.40807736,'process_rss_bytes',143630336.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16964.40807736,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16964.65210484,'process_rss_bytes',143630336.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16964.65210484,'process_cpu_pct',4.09789913825796592306e+00,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16964.892704954,'process_rss_bytes',143630336.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16964.892704954,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16965.152119006,'process_rss_bytes',143630336.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16965.152119006,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16965.400118588,'process_rss_bytes',143630336.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16965.400118588,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16965.65208923,'process_rss_bytes',143634432.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16965.65208923,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16965.89608298,'process_rss_bytes',143634432.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16965.89608298,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16966.152087527,'process_rss_bytes',143634432.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16966.152087527,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16966.408088914,'process_rss_bytes',143634432.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16966.408088914,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16966.6560914,'process_rss_bytes',143634432.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16966.6560914,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16966.900101164,'process_rss_bytes',143634432.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16966.900101164,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16967.152091416,'process_rss_bytes',143634432.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16967.152091416,'process_cpu_pct',7.93681495267315906261e+00,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16967.396080449,'process_rss_bytes',143634432.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16967.396080449,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16967.652092557,'process_rss_bytes',143634432.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16967.652092557,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16967.904099253,'process_rss_bytes',143634432.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16967.904099253,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16968.152104413,'process_rss_bytes',143634432.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16968.152104413,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16968.400116244,'process_rss_bytes',143634432.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16968.400116244,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16968.642695969,'process_rss_bytes',143634432.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16968.642695969,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16968.896116369,'process_rss_bytes',369565696.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16969.142685993,'process_rss_bytes',370032640.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16969.142685993,'process_cpu_pct',3.65008465114579649934e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16969.396087726,'process_rss_bytes',370237440.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16969.396087726,'process_cpu_pct',3.94630292445678350077e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16969.64270434,'process_rss_bytes',370257920.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16969.64270434,'process_cpu_pct',3.24390148345500293211e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16969.896092622,'process_rss_bytes',370339840.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16969.896092622,'process_cpu_pct',3.55186117092748503414e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16970.148084326,'process_rss_bytes',370339840.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16970.148084326,'process_cpu_pct',3.1747076879855033126e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16970.396105581,'process_rss_bytes',370339840.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16970.396105581,'process_cpu_pct',3.22553000548393882236e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16970.64269919,'process_rss_bytes',370343936.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16970.64269919,'process_cpu_pct',3.64972962456559173465e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16970.892673281,'process_rss_bytes',370376704.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16970.892673281,'process_cpu_pct',3.20033166958730177489e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16971.14309632,'process_rss_bytes',370376704.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16971.14309632,'process_cpu_pct',3.59391852919081102859e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16971.396111397,'process_rss_bytes',370376704.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16971.396111397,'process_cpu_pct',39.5233363899697,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16971.642731446,'process_rss_bytes',370384896.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16971.642731446,'process_cpu_pct',3.64933833904955875473e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16971.917209209,'process_rss_bytes',152236032.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16972.160114369,'process_rss_bytes',160104448.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16972.160114369,'process_cpu_pct',3.29346647065199036328e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16972.412162016,'process_rss_bytes',165613568.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16972.412162016,'process_cpu_pct',3.57075342978212901807e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16972.660132244,'process_rss_bytes',168529920.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16972.660132244,'process_cpu_pct',4.03274218871539673596e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16972.908129303,'process_rss_bytes',175525888.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16972.908129303,'process_cpu_pct',4.03230588312240456616e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16973.1521014,'process_rss_bytes',177528832.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16973.1521014,'process_cpu_pct',1.63953175350453328462e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16973.404091652,'process_rss_bytes',177528832.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16973.404091652,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16973.648100404,'process_rss_bytes',177528832.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16973.648100404,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16973.904105051,'process_rss_bytes',177528832.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16973.904105051,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16974.142684402,'process_rss_bytes',177532928.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16974.142684402,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16974.392693916,'process_rss_bytes',177532928.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16974.392693916,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16974.644111866,'process_rss_bytes',177532928.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16974.644111866,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16974.892688607,'process_rss_bytes',177532928.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16974.892688607,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16975.142709137,'process_rss_bytes',177532928.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16975.142709137,'process_cpu_pct',3.99967154699747684531e+00,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16975.392682838,'process_rss_bytes',177537024.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16975.392682838,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16975.652089298,'process_rss_bytes',177537024.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16975.652089298,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16975.900095259,'process_rss_bytes',177537024.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16975.900095259,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16976.142680974,'process_rss_bytes',177537024.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16976.142680974,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16976.404101942,'process_rss_bytes',177537024.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16976.404101942,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16976.642695704,'process_rss_bytes',177537024.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16976.642695704,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16976.916316621,'process_rss_bytes',177537024.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16976.916316621,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16977.148093878,'process_rss_bytes',177537024.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16977.148093878,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16977.396092699,'process_rss_bytes',177541120.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16977.396092699,'process_cpu_pct',4.03227723409562,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16977.652096645,'process_rss_bytes',177541120.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16977.652096645,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16977.903955101,'process_rss_bytes',177541120.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16977.903955101,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16978.156108766,'process_rss_bytes',177541120.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16978.156108766,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16978.416101789,'process_rss_bytes',177541120.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16978.416101789,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16978.65609849,'process_rss_bytes',177541120.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16978.65609849,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16978.896079497,'process_rss_bytes',177541120.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16978.896079497,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16979.148079854,'process_rss_bytes',177541120.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16979.148079854,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16979.396096712,'process_rss_bytes',177541120.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16979.396096712,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16979.656571992,'process_rss_bytes',177541120.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16979.656571992,'process_cpu_pct',3.83913590572108853749e+00,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16979.904091449,'process_rss_bytes',177541120.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16979.904091449,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16980.142692192,'process_rss_bytes',177545216.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16980.142692192,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16980.400088161,'process_rss_bytes',177545216.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16980.400088161,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16980.652081868,'process_rss_bytes',177549312.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16980.652081868,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16980.904102905,'process_rss_bytes',177549312.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16980.904102905,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16981.142705982,'process_rss_bytes',177549312.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16981.142705982,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16981.396110068,'process_rss_bytes',177549312.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16981.396110068,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16981.64271235,'process_rss_bytes',177549312.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16981.64271235,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16981.896079111,'process_rss_bytes',403546112.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16982.142698078,'process_rss_bytes',404037632.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16982.142698078,'process_cpu_pct',4.05483816658295808093e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16982.484065479,'process_rss_bytes',404090880.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16982.73420072,'process_rss_bytes',404099072.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16983.060072046,'process_rss_bytes',404099072.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16983.310208498,'process_rss_bytes',404099072.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16983.760721782,'process_rss_bytes',404103168.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16984.020086219,'process_rss_bytes',404103168.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16984.379204881,'process_rss_bytes',404103168.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16984.629338359,'process_rss_bytes',404103168.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16984.888272686,'process_rss_bytes',177610752.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16985.132119117,'process_rss_bytes',177717248.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16985.132119117,'process_cpu_pct',8.20188342228117406307e+00,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16985.379360581,'process_rss_bytes',177717248.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16985.379360581,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16985.632095831,'process_rss_bytes',177717248.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16985.632095831,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16985.880094282,'process_rss_bytes',177717248.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16985.880094282,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16986.130869505,'process_rss_bytes',177717248.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16986.130869505,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16986.392101763,'process_rss_bytes',177717248.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16986.392101763,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16986.656102952,'process_rss_bytes',177717248.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16986.656102952,'process_cpu_pct',3.7878617281032438413e+00,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16986.884094073,'process_rss_bytes',177717248.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16986.884094073,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16987.144097251,'process_rss_bytes',177721344.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16987.144097251,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16987.379351063,'process_rss_bytes',177721344.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16987.379351063,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16987.636099997,'process_rss_bytes',177721344.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16987.636099997,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16987.888118991,'process_rss_bytes',177721344.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16987.888118991,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16988.142980296,'process_rss_bytes',177725440.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16988.142980296,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16988.388101825,'process_rss_bytes',177725440.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16988.388101825,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16988.629378821,'process_rss_bytes',177725440.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16988.629378821,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16988.908124235,'process_rss_bytes',177725440.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16988.908124235,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16989.144093501,'process_rss_bytes',177725440.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16989.144093501,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16989.379365099,'process_rss_bytes',177729536.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16989.379365099,'process_cpu_pct',4.25040680003370141548e+00,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16989.633482177,'process_rss_bytes',177729536.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16989.633482177,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16989.896106081,'process_rss_bytes',177729536.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16989.896106081,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16990.136096502,'process_rss_bytes',177729536.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16990.136096502,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16990.379365248,'process_rss_bytes',177729536.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16990.379365248,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16990.632100378,'process_rss_bytes',177729536.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16990.632100378,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16990.888145641,'process_rss_bytes',177729536.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16990.888145641,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16991.132100913,'process_rss_bytes',177729536.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16991.132100913,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16991.384099127,'process_rss_bytes',177737728.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16991.384099127,'process_cpu_pct',3.96828209266277553979e+00,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16991.644099431,'process_rss_bytes',177737728.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16991.644099431,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16991.904130491,'process_rss_bytes',177737728.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16991.904130491,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16992.136100575,'process_rss_bytes',177737728.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16992.136100575,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16992.380291548,'process_rss_bytes',177737728.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16992.380291548,'process_cpu_pct',0.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16992.629339511,'process_rss_bytes',403910656.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16992.886104499,'process_rss_bytes',404381696.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16992.886104499,'process_cpu_pct',3.11568958926493166927e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16993.129338388,'process_rss_bytes',404414464.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16993.129338388,'process_cpu_pct',3.28901537236871419631e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16993.379397696,'process_rss_bytes',404484096.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16993.379397696,'process_cpu_pct',3.19924103764566787329e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16993.629348742,'process_rss_bytes',404500480.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16993.629348742,'process_cpu_pct',3.20062673392197041257e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16993.879354501,'process_rss_bytes',404500480.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16993.879354501,'process_cpu_pct',3.59991707230326625217e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16994.131000269,'process_rss_bytes',404500480.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16994.131000269,'process_cpu_pct',3.57645593309572191738e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16994.379857628,'process_rss_bytes',404500480.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16994.379857628,'process_cpu_pct',32.1469295993862,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16994.632111562,'process_rss_bytes',404500480.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16994.632111562,'process_cpu_pct',3.56783335633145242131e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16994.87934866,'process_rss_bytes',404504576.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16994.87934866,'process_cpu_pct',4.04470044379097188897e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16995.132076234,'process_rss_bytes',404504576.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16995.132076234,'process_cpu_pct',3.56114683395016129452e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16995.384074097,'process_rss_bytes',404508672.0,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16995.384074097,'process_cpu_pct',3.57145885795631201631e+01,'ok');
INSERT INTO "telemetry" VALUES('01m883ncbw0d3v3ws6m5q2wez1',16995.632078016,'process_rss_bytes',178212864.0,'ok');
CREATE INDEX ix_runs_candidate_id ON runs (candidate, id);
CREATE INDEX ix_runs_outcome_id ON runs (outcome, id);
CREATE INDEX ix_runs_reference_id ON runs (reference, id);
CREATE INDEX ix_runs_state_id ON runs (state, id);
COMMIT;
